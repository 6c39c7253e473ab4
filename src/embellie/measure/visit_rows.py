"""Visit rows: what happened in each visit on each day, counted once and kept beside the log, so that a scorecard need not count it again.

A row speaks for all events of a visit on a day, between two exposures of its reader. It stands for them wherever they all lie on
one side of a moment that matters (the end of a window, the moment one looks at). Where they do not, the visit's events themselves
are counted. So nothing is approximate.
"""

from embellie.ports import DailyView

LONGEST_READ = 86_400
"""Engaged seconds that one read counts at most: a page that claims more than a day is broken."""

THOUSANDTHS = (
    f"CAST(floor(CASE WHEN engaged_seconds > {LONGEST_READ} THEN {LONGEST_READ} WHEN engaged_seconds > 0 "
    "THEN engaged_seconds ELSE 0 END * 1000 + 0.5) AS BIGINT)"
)
"""Engaged seconds of one read, in whole thousandths."""

VISIT_KINDS = ("served", "read", "click", "impression")
"""The kinds of event that visits consist of."""


def visits_view(read_seconds: float) -> DailyView:
    """Describe the relation `visits`: a row per site, reader, visit, day and stretch between exposures, of readers that have a name.

    Columns: `site`, `reader`, `visit`; `key`, a number of the last two (visits of one number are told apart by name);
    `began` and `ended` (times of its events); `pages`, `reports`, `clicks`, `impressions` (how many events served, read, …),
    `attention` (of its reads, in thousandths of a second), `reads` (how many articles were read) and `articles` (which; null for none).

    Args:
        read_seconds: Engaged seconds from which an article counts as read.
    """
    kinds = ", ".join(f"'{kind}'" for kind in VISIT_KINDS)
    return DailyView(
        "visits",
        f"""
SELECT site, reader, visit, CAST(md5_number_lower(concat_ws(chr(31), reader, visit)) >> 1 AS BIGINT) AS key,
       min(began) AS began, max(ended) AS ended, CAST(sum(pages) AS BIGINT) AS pages, CAST(sum(reports) AS BIGINT) AS reports,
       CAST(sum(clicks) AS BIGINT) AS clicks, CAST(sum(impressions) AS BIGINT) AS impressions,
       CAST(sum(attention) AS BIGINT) AS attention, count(read_article) AS reads,
       list(read_article ORDER BY read_article) FILTER (WHERE read_article IS NOT NULL) AS articles
FROM (
  SELECT site, reader, visit, exposed, read_article, min("at") AS began, max("at") AS ended,
         count(CASE WHEN kind = 'served' THEN 1 END) AS pages, count(CASE WHEN kind = 'read' THEN 1 END) AS reports,
         count(CASE WHEN kind = 'click' THEN 1 END) AS clicks, count(CASE WHEN kind = 'impression' THEN 1 END) AS impressions,
         sum(CASE WHEN kind = 'read' THEN {THOUSANDTHS} ELSE 0 END) AS attention
  FROM (
    SELECT events.site, events.reader, visit, kind, events."at", engaged_seconds, exposed,
           CASE WHEN kind = 'read' AND engaged_seconds >= {float(read_seconds)!r} THEN article END AS read_article
    FROM events ASOF LEFT JOIN (
      SELECT DISTINCT site, reader, "at" AS exposed FROM events WHERE kind = 'exposure' AND reader <> ''
    ) AS exposures
    ON events.site = exposures.site AND events.reader = exposures.reader AND events."at" >= exposures.exposed
    WHERE kind IN ({kinds}) AND events.reader <> ''
  ) AS acts
  GROUP BY site, reader, visit, exposed, read_article
) AS articles
GROUP BY site, reader, visit, exposed""".strip(),
    )
