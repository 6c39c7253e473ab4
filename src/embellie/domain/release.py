"""Release: the immutable thing put live. Policy, configuration, model, data and code, named by their content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

Setting = str | int | float | bool


def setting_of(text: str) -> Setting:
    """Read a setting as it would be in TOML.

    >>> setting_of("6"), setting_of("0.5"), setting_of("true"), setting_of("editors")
    (6, 0.5, True, 'editors')
    """
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is put live; an event of kind `release` carries it whole.

    `release` is derived from the content, so the same content is the same release.
    """

    kind: ClassVar[str] = "release"

    release: str
    policy: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    model: str = ""
    data: str = ""
    code: str = ""
    built_at: datetime | None = None
    note: str = ""


def release_id(policy: str, settings: Mapping[str, Setting], *, model: str = "", data: str = "", code: str = "") -> str:
    """Name a release by its content.

    >>> release_id("latest", {}) == release_id("latest", {}, code="")
    True
    >>> release_id("latest", {"slots": 1}) == release_id("latest", {"slots": 2})
    False
    """
    content = json.dumps([policy, dict(settings), model, data, code], sort_keys=True, ensure_ascii=True)
    return f"{policy}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
