"""Learning from the past: what stopped experiments teach of effects, learnt anew whenever one more is over."""

from collections.abc import Mapping, Sequence

from embellie.app.live_folds import LiveFolds
from embellie.app.programme import programme_from_log
from embellie.domain.metric import Metric
from embellie.ports import AggregateReader
from embellie.stats.shrinkage import FEWEST, Prior


class PastExperiments:
    """Remembers what was learnt until there is more to learn from.

    Args:
        live: Knows which experiments have stopped.
        reader: SQL over the log.
        metrics: The installation's metrics.
        read_seconds: Attention that makes a read.
    """

    def __init__(
        self, live: LiveFolds, reader: AggregateReader, *, metrics: Sequence[Metric], read_seconds: float
    ) -> None:
        self._live, self._reader, self._read_seconds = live, reader, read_seconds
        self._metrics = [metric for metric in metrics if metric.role == "primary"]
        self._learnt: tuple[int, dict[str, Prior]] = (0, {})

    def priors(self) -> Mapping[str, Prior]:
        """What stopped experiments teach of the primary metrics' relative effects; nothing before there are enough of them."""
        stopped = {
            site: [
                one
                for one in self._live.operations(site).experiments.values()
                if one.state == "stopped" and not one.holdout
            ]
            for site in self._live.sites
        }
        count = sum(map(len, stopped.values()))
        if count >= FEWEST and count != self._learnt[0]:
            found = {
                metric.metric: programme_from_log(self._reader, stopped, metric, read_seconds=self._read_seconds).prior
                for metric in self._metrics
            }
            self._learnt = (count, {name: prior for name, prior in found.items() if isinstance(prior, Prior)})
        return self._learnt[1]
