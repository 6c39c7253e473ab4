"""A policy of one's own: long reads in the evening, what is popular otherwise.

Try it:       embellie recommend try --policy examples/own_policy.py:Evening
Evaluate it:  embellie recommend evaluate --log clicks.csv … --policy popular --policy examples/own_policy.py:Evening
"""

from dataclasses import dataclass

from embellie import Popular, Scored


@dataclass(frozen=True)
class Evening(Popular):
    """After `from_hour` (UTC), lift articles with a long summary."""

    name = "evening"
    from_hour: int = 18
    lift: float = 2.0

    def score(self, request, site):
        """Multiply the popularity of long reads in the evening."""
        popular = super().score(request, site)
        if request.now.hour < self.from_hour:
            return popular
        articles = site.shelf.articles
        long_read = [self.lift if article and len(article.summary) > 200 else 1.0 for article in articles]
        return Scored(
            popular.values * long_read,
            lambda row: "long_read" if long_read[row] > 1.0 else popular.reason(row),
        )
