"""The calls to wandb and trackio, with stand-ins that behave like wandb 0.31 and trackio 0.43."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from types import SimpleNamespace

import pytest

from llm_backend.runs.config import LogSettings
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.logs import Log, rows

ROWS = [
    {"round": t, "loss": 1.0 / t, "seconds": {"fit": 2.0, "judge": 1.0}, "losses": [1.0]} for t in (1, 2, 3)
]
FLAT = {"loss": 1.0, "seconds/fit": 2.0, "seconds/judge": 1.0}


class Wandb:
    """wandb: a run continues under its id; a step below the last is dropped with a warning."""

    def __init__(self):
        self.runs: dict[str, dict] = {}

    def init(self, project, dir, id, name, resume, config):
        assert (
            resume == "allow" and isinstance(config, dict) and not set(id) & set("/\\#?%:") and len(id) <= 128
        )
        kept = self.runs.setdefault(id, {"project": project, "name": name, "rows": [], "finished": 0})

        def log(data, step=None, commit=None):
            if not kept["rows"] or step > kept["rows"][-1][0]:
                kept["rows"].append((step, data))

        def finish(exit_code=None, quiet=None):
            kept["finished"] += 1

        return SimpleNamespace(log=log, finish=finish)


class Trackio:
    """trackio: a run continues under its name; it prints to the terminal and is finished by a function."""

    def __init__(self):
        self.runs: dict[str, dict] = {}

    def init(self, project, name, resume, config):
        assert resume == "allow" and isinstance(config, dict)
        self.on = self.runs.setdefault(name, {"project": project, "rows": [], "finished": 0})

    def log(self, metrics, step=None):
        self.on["rows"].append((step, metrics))

    def finish(self):
        self.on["finished"] += 1


TRACKERS = {"wandb": Wandb, "trackio": Trackio}


@pytest.mark.parametrize("package", TRACKERS)
def test_rows_arrive_and_a_resumed_run_is_the_same_run(package, tmp_path, monkeypatch):
    tracker = TRACKERS[package]()
    monkeypatch.setitem(sys.modules, package, tracker)
    settings = LogSettings(**{"tensorboard": False, package: "games"})

    def play(folder, after, todo):
        folder.mkdir(parents=True, exist_ok=True)
        log = Log(folder, settings, after, {"run": {"rounds": 3}})
        for row in todo:
            log.write(row)
        log.close()

    play(tmp_path / "a" / "egpo #1", 0, ROWS[:2])
    play(tmp_path / "a" / "egpo #1", 1, ROWS[1:])  # killed after the row and before the checkpoint of round 2
    assert [row["round"] for row in rows(tmp_path / "a" / "egpo #1" / "log.jsonl")] == [1, 2, 3]
    (run,) = tracker.runs.values()
    assert run["project"] == "games" and run["finished"] == 2
    assert {t for t, _ in run["rows"]} == {1, 2, 3} and run["rows"][0] == (1, FLAT)
    assert all(set(data) == set(FLAT) for _, data in run["rows"])
    play(tmp_path / "b" / "egpo #1", 0, ROWS)  # a folder of the same name is another run
    assert len(tracker.runs) == 2 and len({name for name in tracker.runs if name.startswith("egpo__1-")}) == 2


@pytest.mark.parametrize("package", TRACKERS)
def test_a_tracker_that_does_not_start_is_named(package, tmp_path, monkeypatch):
    def init(**_):
        raise RuntimeError("No API key configured.\nUse `login`")

    monkeypatch.setitem(sys.modules, package, SimpleNamespace(init=init))
    with pytest.raises(
        ConfigError, match=rf"^log.{package}: {package} cannot start \(RuntimeError: No API.*--resume"
    ):
        Log(tmp_path, LogSettings(**{"tensorboard": False, package: "games"}), 0, {})


@pytest.mark.parametrize("package", TRACKERS)
def test_the_real_ones_take_the_same_parameters(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    real = importlib.import_module(package)
    there = inspect.signature(real.init).parameters
    assert set(inspect.signature(TRACKERS[package]().init).parameters) <= set(there)
    assert inspect.signature(real.log).parameters["step"].default is None
