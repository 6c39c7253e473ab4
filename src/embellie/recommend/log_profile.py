"""LogProfile: what a log holds, day by day, in a few hundred numbers; read by SQL, so that only sums come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from embellie.ports import AggregateReader

WEEKS = 6
"""How far back a profile looks."""

HEAVY_PAGES = 150
"""More articles in a day than this are hardly a person's."""

DAY = timedelta(days=1)

Series = tuple[int, ...]
"""A count per day (24 hours, not a calendar's day), the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionProfile:
    """One section: articles new to the log, and reads of its articles, by day."""

    articles: Series
    reads: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProfile:
    """What one site's log holds up to a moment. Days are stretches of 24 hours that end there.

    Attributes:
        until: The moment.
        days: How many whole days there are, at most `7 * WEEKS`; the length of every series.
        series: Counts by day: `reads`, `clicks`, `impressions`, `served`, `visits`, `articles` (new ones), `tagged` (reads
            of readers tagged as bots), `heavy` (reads of readers with more than `HEAVY_PAGES` in the day), `readers`,
            `top_clicks` (those of the reader who clicks most), and, for each of the first four kinds, `KIND.lacking` (without
            a field they need), `KIND.unknown` (of articles not in the catalogue), `KIND.repeated` (told before).
        sections: By name.
        hours: (reads, new articles) of each hour that had any, as (hours before `until`, reads, articles), newest first.
        newest: When the newest event of a kind happened.
    """

    until: datetime
    days: int
    series: Mapping[str, Series]
    sections: Mapping[str, SectionProfile] = field(default_factory=dict)
    hours: Sequence[tuple[int, int, int]] = ()
    newest: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, name: str) -> Series:
        """Return a series; zeros when nothing of the kind was told."""
        return self.series.get(name, (0,) * self.days)


_KINDS = {"read": "reads", "click": "clicks", "impression": "impressions", "served": "served"}

# Anonymous readers may well open one article in the same second, or share a slate: only what can be told apart counts as repeated.
_COUNTS = """
WITH catalogue AS (SELECT DISTINCT article FROM events WHERE kind = 'article' AND site = $site),
tagged AS (SELECT DISTINCT reader FROM events WHERE kind = 'exposure' AND bot <> '' AND reader <> '' AND site = $site)
SELECT kind, date_diff('second', e."at", $until) // 86400 AS day, count(*) AS n,
       count(DISTINCT CASE WHEN e.visit <> '' THEN e.visit END) AS visits,
       count(DISTINCT CASE WHEN e.reader <> '' THEN e.reader END) AS readers,
       count(CASE WHEN tagged.reader IS NOT NULL THEN 1 END) AS tagged,
       count(CASE WHEN (kind <> 'served' AND e.article = '') OR (kind IN ('click', 'impression') AND e.slate_id = '')
                       OR (e.consent <> 'none' AND (e.visit = '' OR e.reader = '')) THEN 1 END) AS lacking,
       count(CASE WHEN kind <> 'served' AND e.article <> '' AND catalogue.article IS NULL THEN 1 END) AS unknown,
       count(CASE WHEN kind = 'read' AND e.visit <> '' THEN 1 END)
         - count(DISTINCT CASE WHEN kind = 'read' AND e.visit <> ''
                 THEN (e.reader, e.visit, e.article, date_trunc('second', e."at")) END)
         + count(CASE WHEN kind IN ('click', 'impression') AND e.slate_id <> '' AND e.visit <> '' THEN 1 END)
         - count(DISTINCT CASE WHEN kind IN ('click', 'impression') AND e.slate_id <> '' AND e.visit <> ''
                 THEN (e.slate_id, e.article) END) AS repeated
FROM events AS e
LEFT JOIN catalogue ON e.article = catalogue.article
LEFT JOIN tagged ON e.reader = tagged.reader
WHERE e.site = $site AND e.kind IN ('read', 'click', 'impression', 'served') AND e."at" >= $since AND e."at" < $until
GROUP BY 1, 2
"""

_TOP = """
SELECT day, max(clicks) AS top_clicks, sum(CASE WHEN reads > {heavy} THEN reads ELSE 0 END) AS heavy
FROM (SELECT date_diff('second', "at", $until) // 86400 AS day, reader,
             count(CASE WHEN kind = 'click' THEN 1 END) AS clicks, count(CASE WHEN kind = 'read' THEN 1 END) AS reads
      FROM events WHERE site = $site AND kind IN ('click', 'read') AND reader <> ''
                  AND "at" >= $since AND "at" < $until
      GROUP BY 1, 2)
GROUP BY day
"""

_FIRSTS = """
firsts AS (SELECT article, min("at") AS told, arg_max(json_extract_string(body, '$.section'), seq) AS section
           FROM events WHERE kind = 'article' AND site = $site AND "at" < $until GROUP BY article)
"""

_SECTIONS = """
WITH {firsts}
SELECT coalesce(section, '') AS section, day, sum(reads) AS reads, sum(articles) AS articles FROM (
  SELECT firsts.section, date_diff('second', e."at", $until) // 86400 AS day, 1 AS reads, 0 AS articles
  FROM events AS e JOIN firsts ON e.article = firsts.article
  WHERE e.site = $site AND e.kind = 'read' AND e."at" >= $since AND e."at" < $until
  UNION ALL
  SELECT section, date_diff('second', told, $until) // 86400, 0, 1 FROM firsts WHERE told >= $since)
GROUP BY 1, 2
"""

_HOURS = """
WITH {firsts}
SELECT hour, sum(reads) AS reads, sum(articles) AS articles FROM (
  SELECT date_diff('second', "at", $until) // 3600 AS hour, 1 AS reads, 0 AS articles
  FROM events WHERE site = $site AND kind = 'read' AND "at" >= $since AND "at" < $until
  UNION ALL
  SELECT date_diff('second', told, $until) // 3600, 0, 1 FROM firsts WHERE told >= $since)
GROUP BY 1 ORDER BY 1
"""

_SPAN = """
SELECT kind, min("at") AS oldest, max("at") AS newest FROM events
WHERE site = $site AND kind IN ('read', 'click', 'impression', 'served', 'article') AND "at" < $until GROUP BY kind
"""


def read_profile(reader: AggregateReader, *, site: str, until: datetime, weeks: int = WEEKS) -> LogProfile:
    """Read the profile of one site's log.

    Args:
        reader: Runs SQL over the log.
        site: The site.
        until: Only what happened before; aware.
        weeks: How far back to look.
    """
    end = until.astimezone(UTC).replace(tzinfo=None)  # the log's times are UTC and naive
    given = {"site": site, "until": end}
    spans = reader.rows(_SPAN, given)
    oldest = min((row["oldest"] for row in spans if row["kind"] != "article"), default=end)
    days = min(7 * weeks, (end - oldest) // DAY)
    given["since"] = end - days * DAY
    series: dict[str, list[int]] = {}

    def put(name: str, day: int, n: float | None) -> None:
        if 0 <= day < days:
            series.setdefault(name, [0] * days)[day] += int(n or 0)

    for row in reader.rows(_COUNTS, given):
        name, day = _KINDS[row["kind"]], int(row["day"])
        put(name, day, row["n"])
        for part in ("lacking", "unknown", "repeated"):
            put(f"{name}.{part}", day, row[part])
        if row["kind"] == "read":
            for part in ("visits", "readers", "tagged"):
                put(part, day, row[part])
    for row in reader.rows(_TOP.format(heavy=HEAVY_PAGES), given):
        put("top_clicks", int(row["day"]), row["top_clicks"])
        put("heavy", int(row["day"]), row["heavy"])
    sections: dict[str, tuple[list[int], list[int]]] = {}
    for row in reader.rows(_SECTIONS.format(firsts=_FIRSTS), given):
        day = int(row["day"])
        put("articles", day, row["articles"])
        if 0 <= day < days:
            articles, reads = sections.setdefault(row["section"], ([0] * days, [0] * days))
            articles[day] += int(row["articles"])
            reads[day] += int(row["reads"])
    return LogProfile(
        until=until,
        days=days,
        series={name: tuple(values) for name, values in series.items()},
        sections={
            name: SectionProfile(articles=tuple(articles), reads=tuple(reads))
            for name, (articles, reads) in sorted(sections.items())
        },
        hours=[
            (int(row["hour"]), int(row["reads"]), int(row["articles"]))
            for row in reader.rows(_HOURS.format(firsts=_FIRSTS), given)
        ],
        newest={row["kind"]: row["newest"].replace(tzinfo=UTC) for row in spans},
    )


def tagged_readers(reader: AggregateReader, *, site: str) -> frozenset[str]:
    """Name the readers whose exposures are tagged as a bot's: nothing is learned from them."""
    sql = "SELECT DISTINCT reader FROM events WHERE kind = 'exposure' AND bot <> '' AND reader <> '' AND site = $site"
    return frozenset(str(row["reader"]) for row in reader.rows(sql, {"site": site}))
