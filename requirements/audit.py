"""Audit: does any locked version, in Python or in the widget's tools, stand in the open database of advisories (OSV)?

Run by `make audit`. Exits 0 when none does, 1 when some do, and 0 with a word of warning when the database cannot be
reached, or 3 with `--required`. Asked of the database: names and versions, nothing else.

Source of the interface: https://google.github.io/osv.dev/post-v1-querybatch/
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
DATABASE = "https://api.osv.dev/v1/querybatch"
BATCH = 500

Package = tuple[str, str, str]
"""Ecosystem, name and version."""


def locked(folder: Path) -> list[Package]:
    """List what the lock files name: Python's here, the widget's beside."""
    found: set[Package] = set()
    for file in folder.glob("*.txt"):
        text = file.read_text(encoding="utf-8")
        found |= {("PyPI", name, version) for name, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;]+)", text)}
    lock = folder.parent / "widget" / "package-lock.json"
    if lock.exists():
        for path, one in json.loads(lock.read_text(encoding="utf-8")).get("packages", {}).items():
            if path and "version" in one:
                found.add(("npm", path.rpartition("node_modules/")[2], one["version"]))
    return sorted(found)


def ask(queries: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Ask the database about some packages; one result for each, in the same order."""
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(DATABASE, data=body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        results: list[dict[str, object]] = json.load(answer)["results"]
    return results


def advisories(
    packages: Sequence[Package], ask: Callable[[Sequence[dict[str, object]]], list[dict[str, object]]]
) -> list[tuple[Package, list[str]]]:
    """Find the packages with advisories, and their ids.

    Raises:
        ValueError: The database did not answer for each package; nothing may then be called clean.
    """
    found = []
    for start in range(0, len(packages), BATCH):
        batch = packages[start : start + BATCH]
        results = ask([{"package": {"ecosystem": e, "name": n}, "version": v} for e, n, v in batch])
        if len(results) != len(batch):
            raise ValueError(f"{len(results)} answers for {len(batch)} packages.")
        for package, result in zip(batch, results, strict=True):
            ids = [str(one["id"]) for one in result.get("vulns") or []]
            if ids:
                found.append((package, ids))
    return found


def main(arguments: Sequence[str]) -> int:
    """Audit the locks of this repository."""
    packages = locked(HERE)
    try:
        found = advisories(packages, ask)
    except (urllib.error.URLError, TimeoutError, OSError, ValueError, KeyError) as error:
        print(f"Not audited: the database of advisories gave no answer ({error}). Run it where the network allows.")
        return 3 if "--required" in arguments else 0
    for (ecosystem, name, version), ids in found:
        print(f"{ecosystem} {name} {version}: {', '.join(ids)}")
    print(f"{len(packages)} locked packages, {len(found)} with advisories.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
