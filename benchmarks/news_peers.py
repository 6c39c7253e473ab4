"""Every policy here beside other libraries on real clicks: one run, one protocol, targets next and last.

    python benchmarks/news_peers.py [--log FILE --reader COL --visit COL --article COL --at COL --unit s] [--peers PYTHON]… [--sample N] [--out FILE]

By default on DeskDrop, if it is in `../shared/data`. A peer needs an interpreter that has its library (`news_models_peers.py`
says how to make one); what is not installed is left out, and said.

All rank the same targets among the articles read before the target's hour but the page itself. Our policies know what came before
that hour. Peers cannot be told a click at a time: they are fitted again on the 30 days before (as our own baselines are), then given
the reader's articles up to that hour and the visit's own. Those that fit quickly (RecTools popular, implicit BM25) are fitted every
hour and so know what ours know; the others every `--refit` days, a day by default, and what was first read since cannot be ranked by
them. That weighs: RecTools popular has an HR@20 of .25 on DeskDrop with a fit a day, and .50 with one an hour. So what lies between
ours and a peer of a fit a day is not its formula alone, and the table says which is which by the number of fits.
Neither peers nor ours are tuned here; the defaults of `popular` were once chosen on the first half of DeskDrop, so on that set
ours start with an advantage.
Times are of one core; memory is of the whole process, the log in it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from embellie import __version__
from embellie.app.recommending import Source, policy_of, read_source
from embellie.domain.errors import EmbellieError
from embellie.domain.unavailable import Unavailable
from embellie.recommend.built_in import POLICIES
from embellie.recommend.evaluation import clustered_mean, gains
from embellie.recommend.paired import corrected, paired_difference
from embellie.recommend.replaying import Protocol, Replay, choose_targets, rank, serve
from embellie.recommend.signals import signals_of
from news_models_peers import peak_mb

HERE = Path(__file__).parent
DESKDROP = HERE.parents[1] / "shared" / "data" / "deskdrop" / "users_interactions.csv.gz"
HOUR = 3_600_000_000
LEFT_OUT = {
    "status_quo": "it shows nothing",
    "interleaved": "two others drafting",
    "exploring": "another with chance in it",
    "thompson": "another with chance in it",
}
KS = (5, 10, 20)


def source_of(asked):
    if asked.log:
        return Source(
            log=asked.log, reader=asked.reader, visit=asked.visit, article=asked.article, at=asked.at, unit=asked.unit
        )
    return Source(log=DESKDROP, reader="personId", visit="sessionId", article="contentId", at="timestamp", unit="s")


def chosen_targets(log, sample):
    """A sample of the clicks of each protocol; the last clicks are among the next ones."""
    found = {kind: choose_targets(log, Protocol(target=kind, sample=sample, seed=1)) for kind in ("next", "last")}
    union = {one.click: one for kind in found.values() for one in kind}
    targets = [union[click] for click in sorted(union)]
    among = {kind: np.isin([one.click for one in targets], [one.click for one in some]) for kind, some in found.items()}
    return targets, among


def job_of(log, targets, *, refit_days, file):
    """Write what peers need, in numbers: articles by first click, readers, targets with what their reader had read."""
    articles = {name: code for code, name in enumerate(dict.fromkeys(log.articles))}
    readers = {name: code for code, name in enumerate(dict.fromkeys(log.readers))}
    item = np.array([articles[name] for name in log.articles])
    reader = np.array([readers[name] for name in log.readers])
    first = np.full(len(articles), np.iinfo(np.int64).max)
    np.minimum.at(first, item, log.at)
    of_reader = {code: np.flatnonzero(reader == code) for code in np.unique(reader[[one.click for one in targets]])}
    starts, reads, known = [0], [], []
    for one in targets:
        start = int(log.at[one.click]) // HOUR * HOUR
        own = of_reader[reader[one.click]]
        before = item[own[log.at[own] < start]][-300:]
        reads.append(np.unique(np.concatenate([before, item[list(one.before)]])))
        starts.append(starts[-1] + len(reads[-1]))
        known.append(int(np.searchsorted(first, start)))
    clicks = [one.click for one in targets]
    np.savez(
        file, reader=reader, item=item, at=log.at, page=item[[one.before[-1] for one in targets]], target_item=item[clicks],
        start=log.at[clicks] // HOUR * HOUR, refit_hours=max(1, round(refit_days * 24)), read=np.concatenate(reads), read_from=np.array(starts), known=np.array(known),
    )  # fmt: skip


def ours(name, asked, out):
    """Rank the targets by one policy, in a process of its own."""
    log, _, _ = read_source(source_of(asked))
    targets, _ = chosen_targets(log, asked.sample)
    policy, protocol = policy_of(name), Protocol()
    replay = Replay(log, protocol, timer=time.perf_counter, signals=signals_of([policy]))
    ranks, slates = [], []
    for number, (target, request) in enumerate(replay.requests(targets)):
        ranks.append(rank(policy, request, replay.state, article=log.articles[target.click], seen="keep")[0])
        if number % 10 == 0:
            began = time.perf_counter()
            serve(policy, request, replay.state)
            slates.append(1e3 * (time.perf_counter() - began))
    memory = peak_mb()
    np.savez(
        out,
        ranks=ranks,
        fit=replay.fold_seconds,
        fits=1,
        p50=np.percentile(slates, 50),
        p99=np.percentile(slates, 99),
        mb=memory,
    )


def run_all(asked, job, folder):
    """Run each policy and each peer in a process of its own; say what could not run."""
    found, left_out = {}, {}
    for name in POLICIES:
        if name in LEFT_OUT:
            left_out[name] = LEFT_OUT[name]
            continue
        out = folder / f"{name}.npz"
        command = [sys.executable, __file__, *sys.argv[1:], "--ours", name, "--file", str(out)]
        said = finish(command, asked.limit)
        if said:
            left_out[name] = said
        else:
            one = load(out)
            twin = next((other for other, told in found.items() if np.array_equal(told["ranks"], one["ranks"])), "")
            if twin:
                left_out[name] = (
                    f"ranks as `{twin}` to the last target: this log has no sections, texts or model to differ by"
                )
                continue
            found[name] = {"kind": "ours", **one}
            tell(name, found[name])
    for python in asked.peers:
        there = json.loads(
            subprocess.run(
                [python, HERE / "news_models_peers.py", "list"], capture_output=True, check=True, text=True
            ).stdout
        )
        for name, version in there.items():
            if name in found:
                continue
            out = folder / "peer.npz"
            said = finish([python, str(HERE / "news_models_peers.py"), "run", name, str(job), str(out)], asked.limit)
            if said:
                left_out[name] = said
            else:
                found[name] = {"kind": version, **load(out)}
                tell(name, found[name])
    return found, left_out


def finish(command, limit):
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return f"took more than {limit} s"
    return done.stderr.strip().splitlines()[-1][:160] if done.returncode else ""


def load(file):
    given = np.load(file)
    return {"ranks": given["ranks"], **{key: float(given[key]) for key in ("fit", "fits", "p50", "p99", "mb")}}


def tell(name, one):
    print(f"  {name}: {one['fit']:.1f} s", file=sys.stderr, flush=True)


def table(found, among, clusters):
    """Print the figures of one kind of target; return them."""
    _, readers = np.unique(clusters[among], return_inverse=True)
    print(f"{'':30} " + " ".join(f"{f'HR@{k}':>20}" for k in KS) + f" {'nDCG@20':>20} {'MRR@20':>20}")
    rows = {}
    for name, one in found.items():
        ranks = one["ranks"][among]
        cells = {f"hr@{k}": clustered_mean(gains(ranks, k)["hr"], readers) for k in KS}
        cells |= {f"{metric}@20": clustered_mean(gains(ranks, 20)[metric], readers) for metric in ("ndcg", "mrr")}
        rows[name] = {key: asdict(cell) for key, cell in cells.items()}
        print(
            f"{name[:30]:30} "
            + " ".join(f"{c.value:.4f} [{c.low:.3f}, {c.high:.3f}]".rjust(20) for c in cells.values())
        )
    return rows


def differences(found, among, clusters):
    """Hold the best of ours against each of the others, in nDCG@20 and HR@20, all corrected together.

    Which of ours is best is settled on every other reader, and the differences are told on the rest: chosen on the same clicks, the
    best would owe part of its lead to chance.
    """
    _, readers = np.unique(clusters[among], return_inverse=True)
    choosing = readers % 2 == 0
    ranks = {name: one["ranks"][among] for name, one in found.items()}
    mine = [name for name, one in found.items() if one["kind"] == "ours"]
    best = max(mine, key=lambda name: gains(ranks[name][choosing], 20)["ndcg"].mean())
    _, readers = np.unique(readers[~choosing], return_inverse=True)
    gained = {name: gains(each[~choosing], 20) for name, each in ranks.items()}
    print(
        f"Best of ours by nDCG@20 on every other reader: {best}. On the {len(readers)} targets of the {readers.max() + 1} others:"
    )
    pairs = [
        paired_difference(gained[best][metric], gained[name][metric], readers, names=(best, name), metric=metric)
        for name in found
        if name != best
        for metric in ("ndcg", "hr")
    ]
    told = corrected([one for one in pairs if not isinstance(one, Unavailable)])
    for one in told:
        verdict = "real" if one.real else "may be chance"
        print(
            f"{best} − {one.against:30} {one.metric + '@20':8} {one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]  {verdict}"
        )
    return [asdict(one) | {"real": one.real} for one in told]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path)
    for column in ("reader", "visit", "article", "at"):
        parser.add_argument(f"--{column}", default="")
    parser.add_argument("--unit", default="auto")
    parser.add_argument("--peers", action="append", default=[], metavar="PYTHON")
    parser.add_argument("--sample", type=int, default=2500, help="targets of each kind; 0 for all")
    parser.add_argument("--refit", type=float, default=1.0, help="days between two fits of a peer")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds that one policy or peer may take")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ours", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not asked.log and not DESKDROP.is_file():
        print("DeskDrop is not in ../shared/data/deskdrop: give a log with --log.")
        return
    if asked.ours:
        try:
            ours(asked.ours, asked, asked.file)
        except EmbellieError as error:
            sys.exit(str(error))
        return
    log, _, _ = read_source(source_of(asked))
    targets, among = chosen_targets(log, asked.sample)
    clusters = np.unique([log.readers[one.click] for one in targets], return_inverse=True)[1]
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.npz"
        job_of(log, targets, refit_days=asked.refit, file=job)
        found, left_out = run_all(asked, job, Path(folder))
    document = {
        "schema": "embellie/benchmark-news-peers/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "sample": asked.sample,
        "refit_days": asked.refit,
        "left_out": left_out,
        "targets": {},
    }
    for kind, some in among.items():
        print(
            f"\ntarget {kind}: {int(some.sum())} targets of {len(np.unique(clusters[some]))} readers; 95 % intervals by reader\n"
        )
        figures = table(found, some, clusters)
        print()
        document["targets"][kind] = {"figures": figures, "differences": differences(found, some, clusters)}
    print(f"\n{'':30} {'library':>10} {'fit s, in all':>14} {'fits':>6} {'p50 ms':>8} {'p99 ms':>8} {'MB':>6}")
    for name, one in found.items():
        print(
            f"{name[:30]:30} {one['kind']:>10} {one['fit']:14.2f} {one['fits']:6.0f} {one['p50']:8.3f} {one['p99']:8.3f} {one['mb']:6.0f}"
        )
    document["costs"] = {
        name: {key: value for key, value in one.items() if key != "ranks"} for name, one in found.items()
    }
    print(
        "\nOf ours, fit is the folding of the whole log, click by click, with what the policy remembers; p50 and p99 are of its slate, rules included. Of peers, p50 and p99 are of the scores and the best 20."
    )
    for name, why in left_out.items():
        print(f"Left out: {name}: {why}.")
    if not asked.peers:
        print("No peer: give interpreters that have them with --peers.")
    if asked.out:
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
