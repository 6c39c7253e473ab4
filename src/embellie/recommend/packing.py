"""Packing: small mappings by the million, as a few long arrays, so that a state is written and read in seconds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np

from embellie.domain.article import Article
from embellie.domain.moment import micros, moment

_NO_TIME = np.iinfo(np.int64).min
_TIMES = ("published_at", "updated_at", "expires_at")


def pack(mappings: Iterable[Mapping[int, Any]], *, values: type | None = np.int64) -> dict[str, Any]:
    """Lay mappings from rows behind one another: `sizes`, `rows`, and `values` unless there are none.

    >>> {name: array.tolist() for name, array in pack([{7: 1, 3: 2}, {}, {5: 9}]).items()}
    {'sizes': [2, 0, 1], 'rows': [7, 3, 5], 'values': [1, 2, 9]}
    """
    every = list(mappings)
    sizes = np.fromiter(map(len, every), np.int64, len(every))
    total = int(sizes.sum())
    packed = {"sizes": sizes, "rows": np.fromiter(chain.from_iterable(every), np.int64, total)}
    if values is not None:
        found = chain.from_iterable(mapping.values() for mapping in every)
        packed["values"] = np.fromiter(found, np.dtype(values), total)
    return packed


def unpack(packed: Mapping[str, Any]) -> Iterator[dict[int, Any]]:
    """Give the mappings back, one by one and in their order; without values, each value is `None`.

    >>> list(unpack(pack([{7: 1, 3: 2}, {}])))
    [{7: 1, 3: 2}, {}]
    """
    rows = packed["rows"]
    # One object per row, however many mappings it is in: a million readers have read the same few articles.
    names = list(range(int(rows.max(initial=-1)) + 1))
    keys = list(map(names.__getitem__, rows.tolist()))
    values = packed["values"].tolist() if "values" in packed else None
    begin = 0
    for size in packed["sizes"].tolist():
        end = begin + size
        yield (
            dict.fromkeys(keys[begin:end])
            if values is None
            else dict(zip(keys[begin:end], values[begin:end], strict=True))
        )
        begin = end


class Packed:
    """Mappings from rows to numbers as `pack` laid them out, each given back when it is asked for, and not before.

    A start thus does not make a million small mappings of which a handful is looked at in the next minute.
    """

    def __init__(self, packed: Mapping[str, Any]) -> None:
        self._begins = np.concatenate([[0], np.cumsum(packed["sizes"])])
        self._rows, self._values = packed["rows"], packed["values"]

    def of(self, place: int) -> dict[int, int]:
        """Return one mapping, a new one each time."""
        begin, end = int(self._begins[place]), int(self._begins[place + 1])
        return dict(zip(self._rows[begin:end].tolist(), self._values[begin:end].tolist(), strict=True))

    def some(self, places: list[int]) -> dict[str, Any]:
        """Return some of the mappings, laid out as `pack` does, in the order of `places`.

        >>> every = Packed(pack([{7: 1, 3: 2}, {}, {5: 9}]))
        >>> {name: array.tolist() for name, array in every.some([2, 0]).items()}
        {'sizes': [1, 2], 'rows': [5, 7, 3], 'values': [9, 1, 2]}
        """
        chosen = np.array(places, np.int64)
        begins = self._begins[chosen]
        sizes = self._begins[chosen + 1] - begins
        shifts = begins - (np.cumsum(sizes) - sizes)
        which = np.arange(int(sizes.sum())) + np.repeat(shifts, sizes)
        return {"sizes": sizes, "rows": self._rows[which], "values": self._values[which]}


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the mappings of two packs behind one another."""
    return {name: np.concatenate([one[name], other[name]]) for name in one}


def pack_articles(articles: Iterable[Article | None]) -> dict[str, Any]:
    """Lay articles out column by column, those that are `None` left out; times as µs."""
    every = list(articles)
    known = [article for article in every if article is not None]
    packed: dict[str, Any] = {
        "count": len(every),
        "places": np.array([place for place, article in enumerate(every) if article is not None], np.int64),
    }
    for field in fields(Article):
        column = [getattr(article, field.name) for article in known]
        if field.name in _TIMES:
            packed[field.name] = np.array([_NO_TIME if at is None else micros(at) for at in column], np.int64)
        else:
            packed[field.name] = column
    return packed


def unpack_articles(packed: Mapping[str, Any]) -> list[Article | None]:
    """Give the articles back."""
    found: list[Article | None] = [None] * int(packed["count"])
    names = [field.name for field in fields(Article)]
    columns = [_column(packed[name]) if name in _TIMES else packed[name] for name in names]
    for place, values in zip(packed["places"].tolist(), zip(*columns, strict=True), strict=True):
        given = dict(zip(names, values, strict=True))
        found[place] = Article(**given | {"tags": tuple(given["tags"]), "authors": tuple(given["authors"])})
    return found


def _column(times: Any) -> list[datetime | None]:
    return [None if at == _NO_TIME else moment(at) for at in times.tolist()]
