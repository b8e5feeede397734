"""Runs that die on the way: python llm_dying.py CONFIG PHASE:COUNT ..., one process per PHASE:COUNT.

Imports once, then every run is a process of its own (forked before any tensor exists) that goes on where the
last one died. It is killed with SIGKILL, or for PHASE "interrupt" with SIGINT, at the COUNT-th call of that
phase. The last run is left alone. Prints one exit status per process.
"""

import os
import signal
import sys
from collections.abc import Callable

import peft  # noqa: F401
import torch
import transformers  # noqa: F401

from llm_backend.__main__ import app
from llm_backend.engines.local import rollout
from llm_backend.fits.adam import Adam
from llm_backend.judges import cache
from llm_backend.runs import checkpoint, logs

torch.set_num_threads(1)
PHASES = {
    "collect": (rollout, "draw"),  # between two tokens
    "judge": (cache, "_append"),  # between the judge's answer and the disk
    "fit": (Adam, "step"),
    "interrupt": (Adam, "step"),
    "log": (logs.Log, "write"),
    "checkpoint": (checkpoint, "_sync"),  # between the files and the rename
    "forget": (checkpoint, "clear"),  # around the rename
}


def at(phase: str, count: int, do: Callable[[], object]) -> None:
    """Do something before the `count`-th call of a phase."""
    owner, name = PHASES[phase]
    original, calls = getattr(owner, name), 0

    def watched(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == count:
            do()
        return original(*arguments, **options)

    setattr(owner, name, watched)


def die(phase: str, count: int) -> None:
    at(phase, count, lambda: os.kill(os.getpid(), signal.SIGINT if phase == "interrupt" else signal.SIGKILL))


def main(config: str, deaths: list[str]) -> None:
    for death in [*deaths, None]:
        child = os.fork()
        if child == 0:
            if death is not None:
                phase, count = death.split(":")
                die(phase, int(count))
            try:
                app([config, "--resume"], prog_name="llm_backend")
            except SystemExit as end:
                sys.stderr.flush()
                os._exit(end.code if isinstance(end.code, int) else 1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(death, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
