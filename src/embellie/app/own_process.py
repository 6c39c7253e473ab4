"""Own process: a command of ours, run beside the server with low priority, so that readers do not notice."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

_NICENESS = 10
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and what it said on each of its two outputs."""

    code: int
    said: str
    errors: str


def run_aside(arguments: Sequence[str], *, stopped: threading.Event | None = None) -> Ended | None:
    """Run `embellie ARGUMENTS` in another process of low priority; None when stopped meanwhile, which ends it too."""
    with subprocess.Popen(  # noqa: S603, our own program
        [sys.executable, "-m", "embellie", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is the server's, which then ends it
    ) as process:
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        while True:
            try:
                said, errors = process.communicate(timeout=_LOOK_SECONDS)
                return Ended(code=process.returncode, said=said, errors=errors)
            except subprocess.TimeoutExpired:
                if stopped and stopped.is_set():
                    process.terminate()
                    process.communicate()
                    return None
