"""Models: kept by content, with the runs that made them; which one is current changes in one step, or not at all.

    models/
      0f3a….model              a model, named by the SHA-256 of its bytes
      runs/20260302T031500Z-1f2e3d4c.json     a run: what it was made from, what its checks said, accepted or refused
      current.json             the accepted run in use, and those before it

Every file is written beside its place, brought to disk, then moved there: whatever is killed, wherever, what is in place is
whole. A model is written before its run, a run before it becomes current.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.moment import iso

FOLDER = "models"
"""Its folder in the data folder."""

RunState = Literal["accepted", "refused"]

_SCHEMA = "embellie/training-run/1"
_EARLIER = 20
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(-\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training: `model` is `""` when it came to none; `about` is all that is known of it, as JSON values."""

    run: str
    created: datetime
    state: RunState
    model: str
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The model to serve, its run, and what had to be passed over for it: (run, reason)."""

    run: Run
    data: bytes
    passed_over: tuple[tuple[str, str], ...] = ()


class ModelStore:
    """The models of an installation, in a folder that is made when something is kept.

    Args:
        folder: `models` of the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, data: bytes | None, about: Mapping[str, Any], *, state: RunState, now: datetime) -> Run:
        """Keep a run and its model; an accepted one does not serve yet (`make_current`).

        Args:
            data: The model; None when the run came to none.
            about: What is known of it: JSON values.
            state: Whether its checks passed.
            now: When.
        """
        model = ""
        if data is not None:
            model = hashlib.sha256(data).hexdigest()
            if self._read_model(model) is None:
                self._write(self._model_file(model), data)
        run = self._free_name(now, model or hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest())
        said = {
            "schema": _SCHEMA,
            "run": run,
            "created": iso(now),
            "state": state,
            "model": model,
            "about": dict(about),
        }
        self._write(self._run_file(run), (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode())
        return self.run(run)

    def make_current(self, run: str) -> None:
        """Let an accepted run serve, in one step.

        Raises:
            UnknownName: No such run.
            InputError: It was refused, or its model is not whole.
        """
        found = self.run(run)
        if found.state != "accepted":
            raise InputError(
                f"Run `{run}` was refused: it is never served.", hint="`embellie recommend models` lists them."
            )
        if self._read_model(found.model) is None:
            raise InputError(
                f"The model of run `{run}` is gone or damaged.", hint="Train again: `embellie recommend train`."
            )
        earlier = [one for one in self._pointed() if one != run][:_EARLIER]
        said = {"schema": "embellie/current-model/1", "run": run, "earlier": earlier}
        self._write(self.folder / "current.json", (json.dumps(said, indent=1) + "\n").encode())

    def current(self) -> Current | None:
        """Return the model to serve: the current one, or the last good one before it; None when there is none.

        A model is good when its bytes are those its name tells. When the pointer itself is lost, the newest accepted run counts.
        """
        pointed = self._pointed()
        if not pointed:
            pointed = [one.run for one in reversed(self.runs()) if one.state == "accepted"]
        passed: list[tuple[str, str]] = []
        for name in pointed:
            try:
                run = self.run(name)
            except (InputError, OSError) as error:
                passed.append((name, str(error)))
                continue
            except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, the next may be whole
                passed.append((name, f"{type(error).__name__}: {error}"))
                continue
            data = self._read_model(run.model)
            if run.state == "accepted" and data is not None:
                return Current(run=run, data=data, passed_over=tuple(passed))
            gone = not self._model_file(run.model).is_file()
            passed.append(
                (name, "Its file is gone." if gone else "Its file is damaged: its bytes are not those of its name.")
            )
        return None

    def runs(self) -> list[Run]:
        """Return all runs that can be read, oldest first."""
        found = []
        for file in sorted((self.folder / "runs").glob("*.json")):
            with suppress(InputError):
                found.append(self._read_run(file))
        return sorted(found, key=lambda run: (run.created, run.run))

    def run(self, name: str) -> Run:
        """Return one run.

        Raises:
            UnknownName: No such run.
            InputError: Its file is damaged.
        """
        file = self._run_file(name)
        if not _NAME.fullmatch(name) or not file.is_file():
            raise unknown_name("run", name, [one.run for one in self.runs()])
        return self._read_run(file)

    def load(self, model: str) -> bytes:
        """Return a model by its name.

        Raises:
            InputError: It is not here, or damaged.
        """
        data = self._read_model(model)
        if data is None:
            raise InputError(
                f"The model `{model[:12]}` is gone or damaged.", hint="`embellie recommend models` lists them."
            )
        return data

    def prune(self, *, keep: int, named: Collection[str] = ()) -> list[str]:
        """Remove old runs, and models that no run left is of.

        Args:
            keep: How many of the last accepted and of the last refused runs stay; the current one and the two before it always do.
            named: Models or runs that something names (a release): they stay.

        Returns:
            The runs removed.
        """
        runs = self.runs()
        stays = set(self._pointed()[:3]) | set(named)
        for state in ("accepted", "refused"):
            stays |= {run.run for run in [one for one in runs if one.state == state][-max(keep, 1) :]}
        gone = [run for run in runs if run.run not in stays and run.model not in named]
        for run in gone:
            self._run_file(run.run).unlink(missing_ok=True)
        held = {run.model for run in self.runs()} | set(named)
        for file in self.folder.glob("*.model"):
            if file.stem not in held:
                file.unlink(missing_ok=True)
        return [run.run for run in gone]

    def tidy(self, now: datetime) -> None:
        """Remove what killed processes left unfinished, a day old."""
        for file in self.folder.rglob(".*.unfinished"):
            with suppress(OSError):
                if now.timestamp() - file.stat().st_mtime > 86_400:
                    file.unlink()

    def _pointed(self) -> list[str]:
        """The runs the pointer names, the current one first."""
        try:
            said = json.loads((self.folder / "current.json").read_bytes())
            return [str(said["run"]), *map(str, said["earlier"])]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _read_run(self, file: Path) -> Run:
        try:
            said = json.loads(file.read_bytes())
            return Run(
                run=str(said["run"]),
                created=datetime.fromisoformat(said["created"]),
                state="accepted" if said["state"] == "accepted" else "refused",
                model=str(said["model"]),
                about=said["about"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError("The run's file is damaged.", hint="Train again.", at=file.name) from None

    def _read_model(self, model: str) -> bytes | None:
        if not re.fullmatch(r"[0-9a-f]{64}", model):
            return None
        try:
            data = self._model_file(model).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == model else None

    def _free_name(self, now: datetime, digest: str) -> str:
        name = f"{iso(now.replace(microsecond=0)).replace('-', '').replace(':', '')}-{digest[:8]}"
        taken = (f"{name}-{number}" if number else name for number in range(10_000))
        return next(one for one in taken if not self._run_file(one).exists())

    def _model_file(self, model: str) -> Path:
        return self.folder / f"{model}.model"

    def _run_file(self, run: str) -> Path:
        return self.folder / "runs" / f"{run}.json"

    def _write(self, target: Path, data: bytes) -> None:
        """Write a file whole or not at all; it and its name are on disk when this returns."""
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.parent / f".{target.name}.{os.getpid()}.unfinished"
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
        with suppress(OSError):  # not every system can bring a folder to disk
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
