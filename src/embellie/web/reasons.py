"""Reasons: what a policy's code says, in words; to an editor in the third person, to a reader in the second."""

from typing import Literal

from embellie.web.language import Words
from embellie.web.phrases import MESSAGES

Hearer = Literal["reason", "told"]


def reason_text(words: Words, code: str, *, to: Hearer = "reason") -> str:
    r"""Put a reason in words; `section:culture` names what it is about. A code of someone's own is made readable.

    >>> reason_text(Words("en"), "section:Culture", to="told")
    'Because you read Culture'
    >>> reason_text(Words("fr"), "same_section:economy", to="told").replace("\u202f", " ")
    'Dans la même rubrique : Économie'
    >>> reason_text(Words("fr"), "long_read", to="told")
    'long read'
    """
    name, _, about = code.partition(":")
    if about and f"{to}.{name}" in MESSAGES:
        return words(f"{to}.{name}", about=words.section(about))
    return words.named(to, code)
