"""Choosing: what a person meant by a name they left out."""

from collections.abc import Collection

from embellie.domain.errors import InputError, unknown_name


def choose(kind: str, given: str, known: Collection[str]) -> str:
    """Take the name that is given, or the only one there is; never the first of several.

    >>> choose("site", "", ["gazette"])
    'gazette'

    Args:
        kind: What is chosen, as in its option: `site`, `placement`.
        given: The name; empty when it was left out.
        known: The names there are.

    Raises:
        UnknownName: No such name.
        InputError: It was left out, and there are several or none.
    """
    if given:
        if given not in known:
            raise unknown_name(kind, given, known)
        return given
    if len(known) != 1:
        names = f": {', '.join(sorted(known))}" if known else ""
        raise InputError(f"There are {len(known) or 'no'} {kind}s.", hint=f"Say which with `--{kind}`{names}.")
    return next(iter(known))
