"""Runs of several processes: python llm_processes.py PLAN.json, a list of [size, config, event].

Imports once; then every run is `size` processes forked before any tensor exists, as a launcher would start
them. Events: "kill:PHASE:COUNT" kills all processes at the COUNT-th call of that phase in one of them;
"fail:PHASE:COUNT:RANK" raises torch.OutOfMemoryError there in one process, "interrupt:..." KeyboardInterrupt,
"lose:..." kills that one alone;
"judge:COUNT" ends the judge; "weigh:COUNT" notes how many bytes of tensors are alive at an optimiser step.
Prints a line of JSON per run: exit statuses, standard errors, checkpoints that are left, and by process bytes
and ids of its policies.
"""

import gc
import json
import os
import signal
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Callable
from pathlib import Path

import accelerate  # noqa: F401
import torch
import torch.distributed.fsdp
import torch.distributed.tensor
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from llm_backend.judges import rules
from llm_backend.models.language_model import LanguageModel
from tests.support.llm_dying import app, at


def alive() -> int:
    """Bytes of all tensors of this process, gradients too."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    tensors += [t.grad for t in tensors if isinstance(t, torch.nn.Parameter) and t.grad is not None]
    plain = [t.to_local() if hasattr(t, "to_local") else t for t in tensors]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in plain}
    return sum(storages.values())


def raising(error: BaseException):
    def do():
        raise error

    return do


ALONE = {
    "fail": raising(torch.OutOfMemoryError("out of memory")),
    "interrupt": raising(KeyboardInterrupt()),
    "lose": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


def prepare(event: str, rank: int, noted: dict) -> None:
    kind, *rest = event.split(":")
    if kind == "kill":
        at(rest[0], int(rest[1]), lambda: os.killpg(os.getpgrp(), signal.SIGKILL))
    elif kind in ALONE and rank == int(rest[2]):
        at(rest[0], int(rest[1]), ALONE[kind])
    elif kind == "judge":
        calls, shorter = iter(range(int(rest[0]))), rules.shorter

        def failing(prompt: str, response: str) -> float:
            next(calls)
            return shorter(prompt, response)

        rules.shorter = failing
    elif kind == "weigh":
        at("fit", int(rest[0]), lambda: noted.update(bytes=alive()))
    freeze = LanguageModel.freeze

    def noting(*arguments, **options):
        adapter = freeze(*arguments, **options)
        noted.setdefault("ids", []).append(adapter.id)
        return adapter

    LanguageModel.freeze = noting


def child(rank: int, size: int, port: int, folder: Path, work: Callable[[int, dict], None]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    with open(folder / f"{rank}.err", "wb", buffering=0) as told, open(os.devnull, "wb") as nothing:
        os.dup2(told.fileno(), 2)
        os.dup2(nothing.fileno(), 1)
    noted, code = {}, 1
    try:
        work(rank, noted)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        traceback.print_exception(error)
    (folder / f"{rank}.json").write_text(json.dumps(noted))
    sys.stderr.flush()
    os._exit(code)


def forked(size: int, work: Callable[[int, dict], None]) -> dict:
    """What `size` processes leave that each call work(rank, notes): exit statuses, standard errors, notes."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    with tempfile.TemporaryDirectory() as name:
        folder, ranks = Path(name), {}
        for rank in range(size):
            if (pid := os.fork()) == 0:
                child(rank, size, store.port, folder, work)
            ranks[pid] = rank
            os.setpgid(pid, min(ranks))  # a group of their own
        codes = [0] * size
        for _ in range(size):
            pid, status = os.wait()
            codes[ranks.pop(pid)] = os.waitstatus_to_exitcode(status)
        told = [(folder / f"{rank}.err").read_text() for rank in range(size)]
        notes = [folder / f"{rank}.json" for rank in range(size)]
        noted = [json.loads(path.read_text()) for path in notes if path.exists()]
    return {"codes": codes, "err": told, "noted": noted}


def play(size: int, config: str, event: str) -> dict:
    def work(rank: int, noted: dict) -> None:
        prepare(event, rank, noted)
        app([config, "--resume"], prog_name="llm_backend")

    found = forked(size, work)
    rounds = Path(tomllib.loads(Path(config).read_text())["run"]["out"]) / "rounds"
    return found | {"rounds": sorted(path.name for path in rounds.glob("[0-9]*"))}


def main() -> None:
    for run in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(play(*run)), flush=True)


if __name__ == "__main__":
    main()
