"""Evidence in a file of JSON lines."""

from pathlib import Path

import msgspec

from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence


def read_evidence(path: Path) -> list[Evidence]:
    """Read evidence from JSON lines.

    Raises:
        InputError: With the line that is wrong and what was expected.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a text may hold a line separator of its own
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"`{path.name}` cannot be read.", hint="Give a file of JSON lines, one result each.", at=str(path)
        ) from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Evidence))
        except (msgspec.MsgspecError, InputError) as error:
            what = error.message if isinstance(error, InputError) else f"{error}."
            raise InputError(
                what,
                hint='Write {"measures": "interest", "estimate": 0.012, "se": 0.006}.',
                at=f"{path.name}:{number}",
            ) from None
    return found
