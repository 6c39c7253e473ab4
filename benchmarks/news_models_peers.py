"""The same targets ranked by other libraries: what `benchmarks/news_peers.py` compares with.

Needs none of the project: it runs in the interpreters that have the libraries, as `news_peers.py --peers PYTHON` does. Some pin
old versions of others, so that they need a place each:

    python -m venv /tmp/news   && /tmp/news/bin/pip install implicit rectools && /tmp/news/bin/pip install --no-deps recommenders
    python -m venv /tmp/cornac && /tmp/cornac/bin/pip install cornac

`list` says which are there; `run NAME JOB.npz OUT.npz` ranks. Each is fitted anew at every refit on the reads of the 30 days
before it, with settings nobody tuned; a reader is then what they had read by the start of the target's window, and this visit's
earlier articles: what our policies know too. Where a library folds nobody in, the sum over the articles read does it, which is
what its own scoring computes for a reader of its training set. What a model does not know is not ranked; ties go to the newer.
"""

import importlib.metadata
import json
import os
import sys
import time
import warnings
from datetime import timedelta

for name in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{name}_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402 - threads are set before
from scipy import sparse  # noqa: E402

DAY = 86_400_000_000


class Peer:
    """`fit` on parallel columns of reads; `score` every article from those someone read, -inf where it cannot."""

    library = ""
    days = 30.0
    hours = 0  # between two fits; 0: as the benchmark is told

    def fit(self, readers, items, at, until):
        raise NotImplementedError

    def score(self, read, size):
        raise NotImplementedError

    def matrix(self, readers, items):
        self.kept, places = np.unique(items, return_inverse=True)
        _, rows = np.unique(readers, return_inverse=True)
        found = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, places)))
        found.data[:] = 1.0
        return found

    def row(self, read):
        """The places of the articles read that the model knows."""
        return np.flatnonzero(np.isin(self.kept, read))

    def nothing(self, size):
        return np.full(size, -np.inf)

    def spread(self, scores, size):
        found = np.full(size, -np.inf)
        inside = self.kept < size
        found[self.kept[inside]] = scores[inside]
        return found


class ImplicitALS(Peer):
    library = "implicit"

    def fit(self, readers, items, at, until):
        from implicit.cpu.als import AlternatingLeastSquares

        self.model = AlternatingLeastSquares(factors=64, alpha=10.0, num_threads=1, random_state=0)
        self.model.fit(self.matrix(readers, items), show_progress=False)

    def score(self, read, size):
        inside = self.row(read)
        if not len(inside):
            return self.nothing(size)
        row = sparse.csr_matrix(
            (np.ones(len(inside), np.float32), (np.zeros(len(inside), int), inside)), shape=(1, len(self.kept))
        )
        return self.spread(self.model.item_factors @ self.model.recalculate_user(0, row), size)


class ImplicitBM25(Peer):
    library = "implicit"
    hours = 1

    def fit(self, readers, items, at, until):
        from implicit.nearest_neighbours import BM25Recommender

        self.model = BM25Recommender(K=100, num_threads=1)
        self.model.fit(self.matrix(readers, items), show_progress=False)

    def score(self, read, size):
        inside = self.row(read)
        if not len(inside):
            return self.nothing(size)
        row = sparse.csr_matrix((np.ones(len(inside)), (np.zeros(len(inside), int), inside)), shape=(1, len(self.kept)))
        return self.spread(np.asarray((row @ self.model.similarity).todense()).ravel(), size)


class RecToolsEASE(Peer):
    library = "rectools"

    def frame(self, readers, items, at):
        import pandas as pd
        from rectools import Columns

        named = {
            Columns.User: readers,
            Columns.Item: items,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(at, unit="us"),
        }
        return pd.DataFrame(named)

    def fit(self, readers, items, at, until):
        from rectools.dataset import Dataset
        from rectools.models import EASEModel

        data = Dataset.construct(self.frame(readers, items, at))
        self.weight = np.asarray(EASEModel(regularization=20.0).fit(data).weight)
        names = data.item_id_map.external_ids
        order = np.argsort(names)
        self.kept, self.weight = names[order], self.weight[np.ix_(order, order)]

    def score(self, read, size):
        inside = self.row(read)
        return self.spread(self.weight[inside].sum(axis=0), size) if len(inside) else self.nothing(size)


class RecToolsPopular(RecToolsEASE):
    period = timedelta(days=1)
    hours = 1

    def fit(self, readers, items, at, until):
        from rectools.dataset import Dataset
        from rectools.models import PopularModel

        data = Dataset.construct(self.frame(readers, items, at))
        places, scores = PopularModel(period=self.period).fit(data).popularity_list
        names = data.item_id_map.convert_to_external(places)
        order = np.argsort(names)
        self.kept, self.scores = names[order], np.asarray(scores)[order]

    def score(self, read, size):
        return self.spread(self.scores, size)


class RecommendersSAR(Peer):
    library = "recommenders"

    def fit(self, readers, items, at, until):
        import pandas as pd
        from recommenders.models.sar import SAR

        frame = pd.DataFrame({"userID": readers, "itemID": items, "rating": 1.0, "timestamp": at / 1e6})
        frame = frame.sort_values("timestamp").drop_duplicates(["userID", "itemID"], keep="last")
        model = SAR(similarity_type="jaccard", time_decay_coefficient=1, timedecay_formula=True, time_now=until / 1e6)
        model.fit(frame)
        names = np.array(list(model.item2index))
        order = np.argsort(names)
        places = np.array(list(model.item2index.values()))[order]
        self.kept, self.similarity = names[order], np.asarray(model.item_similarity)[np.ix_(places, places)]

    def score(self, read, size):
        inside = self.row(read)
        return self.spread(self.similarity[inside].sum(axis=0), size) if len(inside) else self.nothing(size)


class CornacMostPop(Peer):
    library = "cornac"

    def data(self, readers, items):
        from cornac.data import Dataset

        pairs = np.unique(np.stack([readers, items]), axis=1).T.tolist()
        return Dataset.build([(reader, item, 1.0) for reader, item in pairs])

    def fit(self, readers, items, at, until):
        from cornac.models import MostPop

        data = self.data(readers, items)
        names = np.array(list(data.iid_map))
        order = np.argsort(names)
        self.kept, self.scores = names[order], np.asarray(MostPop().fit(data).score(0), float)[order]

    def score(self, read, size):
        return self.spread(self.scores, size)


class CornacEASE(CornacMostPop):
    def fit(self, readers, items, at, until):
        from cornac.models import EASE

        data = self.data(readers, items)
        names = np.array(list(data.iid_map))
        order = np.argsort(names)
        weights = np.asarray(EASE(lamb=20.0, posB=False, verbose=False).fit(data).B)
        self.kept, self.weight = names[order], weights[np.ix_(order, order)]

    def score(self, read, size):
        inside = self.row(read)
        return self.spread(self.weight[inside].sum(axis=0), size) if len(inside) else self.nothing(size)


PEERS = {
    "implicit ALS, 64": ImplicitALS,
    "implicit BM25 item-kNN": ImplicitBM25,
    "RecTools popular, 1 day": RecToolsPopular,
    "RecTools EASE": RecToolsEASE,
    "recommenders SAR, 1 day": RecommendersSAR,
    "Cornac most popular, 30 days": CornacMostPop,
    "Cornac EASE": CornacEASE,
}


def peak_mb():
    """The most memory this process had; NaN where the system does not tell.

    Not `ru_maxrss`: Linux carries that of the parent over into a process it starts, so a small child looks like its parent.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - a file of the system
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return float("nan")


def there():
    found = {}
    for name, peer in PEERS.items():
        try:
            found[name] = importlib.metadata.version(peer.library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def position(scores, page, item, known):
    """The place from 1 of an article among those known by the window's start, without the page; 0 when not ranked."""
    if item >= known or not np.isfinite(scores[item]):
        return 0
    if page < known:
        scores[page] = -np.inf
    higher = int(np.count_nonzero(scores > scores[item]))
    ties = np.flatnonzero(scores == scores[item])
    return higher + int(np.count_nonzero(ties > item)) + 1


def run(name, job, out):
    given = np.load(job)
    reader, item, at = given["reader"], given["item"], given["at"]
    peer = PEERS[name]()
    ranks = np.zeros(len(given["target_item"]), np.int64)
    fits, slates, fitted = [], [], -1
    starts = given["start"]
    period = (peer.hours or int(given["refit_hours"])) * DAY // 24
    for number, refit in enumerate((starts // period * period).tolist()):
        if refit != fitted:
            fitted = refit
            first = np.searchsorted(at, refit - peer.days * DAY)
            last = np.searchsorted(at, refit)
            began = time.perf_counter()
            ready = last - first > 20
            if ready:
                peer.fit(reader[first:last], item[first:last], at[first:last], refit)
            fits.append(time.perf_counter() - began)
        if not ready:
            continue
        read = given["read"][given["read_from"][number] : given["read_from"][number + 1]]
        known = int(given["known"][number])
        began = time.perf_counter()
        scores = peer.score(read, known)
        if known > 20:
            np.argpartition(-scores, 19)[:20]
        slates.append(time.perf_counter() - began)
        ranks[number] = position(scores, int(given["page"][number]), int(given["target_item"][number]), known)
    memory = peak_mb()
    np.savez(
        out,
        ranks=ranks,
        fit=np.sum(fits),
        fits=len(fits),
        p50=np.percentile(slates, 50) * 1e3,
        p99=np.percentile(slates, 99) * 1e3,
        mb=memory,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(*sys.argv[2:5])
    else:
        print(json.dumps(there()))
