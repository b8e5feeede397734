"""Runs of a language model: their files, resuming after any kill, and their errors."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.fits.adam import Adam
from llm_backend.judges import JudgeError, rules
from llm_backend.policies.handles import Blend
from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError, OutOfMemory
from llm_backend.runs.logs import rows
from llm_backend.runs.loop import run
from llm_backend.spaces.free import Free
from tests.support import ROOT

torch.set_num_threads(1)

RECIPES = sorted(
    path for path in (ROOT / "llm_backend" / "recipes").glob("*.toml") if path.stem != "league"
)  # the league has a test of its own
RUN: dict[str, dict] = {
    "model": {"name": "tiny"},
    "data": {"source": "tiny"},
    "judge": {"kind": "Rule", "score": "shorter", "cache": True},
    "solver": {"name": "EGPO", "tau": 0.1, "eta": 1.0},
    "arena": {"samples": 3, "max_new_tokens": 6},
    "fit": {"epochs": 2, "batch": 4, "lr": 1e-2},
    "evaluate": {"prompts": 4, "gap_every": 1},
    "run": {"rounds": 3},
    "log": {"tensorboard": False},
}
TIMES = ("seconds", "tokens_per_second")  # keys of times


def described(out: Path, **changes: dict) -> dict:
    """RUN in another folder with some keys of its sections changed."""
    values = {section: dict(keys) for section, keys in RUN.items()}
    for section, keys in changes.items():
        values[section] = values[section] | keys
    values["run"]["out"] = str(out)
    return values


def as_toml(values: dict) -> str:
    lines = []
    for section, keys in values.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n".join(lines)


def told(log: list[dict]) -> list[dict]:
    """A log without its times."""
    return [{key: value for key, value in row.items() if key not in TIMES} for row in log]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without interruption."""
    return run(described(tmp_path_factory.mktemp("whole") / "run"))


def test_a_round_is_a_row_of_everything_that_was_measured(whole):
    assert [row["round"] for row in whole.rows] == [1, 2, 3]
    row = whole.rows[-1]
    assert len(row["losses"]) == 2 and row["loss"] == row["losses"][-1]  # EGPO fits twice a round
    assert row["judged"] > 0 and row["tokens"] > 0 and row["tokens_per_second"] > 0
    assert 0 <= row["win_rate_reference"]["mean"] <= 1 and set(row["win_rate_past"]) == {"2"}
    assert {"exploitability", "kl_reference", "entropy", "length", "truncated"} <= set(row)
    assert all(row["seconds"][phase] > 0 for phase in ("collect", "judge", "fit", "evaluate", "checkpoint"))


def test_the_last_rounds_are_kept_and_can_be_loaded(whole):
    assert [path.name for path in sorted((whole.folder / "rounds").iterdir())] == ["00002", "00003"]
    state = whole.arena.load(whole.folder / "rounds" / "00003")
    assert state.t == 3 and state.policy.id == whole.state.policy.id


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_runs_at_a_toys_scale(recipe, tmp_path):
    values = Configuration.read(recipe).dump()
    values["run"]["out"] = str(tmp_path / recipe.stem)
    values["log"]["tensorboard"] = False
    done = run(values, tiny=True)
    assert done.state.t == 2 and len(done.rows) == 2
    assert all(math.isfinite(row["loss"]) for row in done.rows)


def test_a_policy_that_is_a_formula_is_measured_as_it_is_sampled(tmp_path):
    values = described(tmp_path / "run", run={"rounds": 2})
    done = run(values | {"solver": {"name": "OnlineIPO", "tau": 0.1, "eta": 1.0}})
    assert isinstance(done.state.policy, Blend)
    assert {"win_rate_reference", "kl_reference", "entropy", "exploitability"} <= set(done.rows[-1])
    corrected = values | {"arena": values["arena"] | {"correct": 2}, "run": {"out": str(tmp_path / "more")}}
    row = run(corrected | {"solver": {"name": "OnlineIPO", "tau": 0.1, "eta": 1.0}}).rows[-1]
    assert "win_rate_reference" in row and not {"kl_reference", "entropy", "exploitability"} & set(row)
    again = done.arena.load(done.folder / "rounds" / "00002")
    assert list(done.arena.sample(again.policy, n=2)) == list(done.arena.sample(done.state.policy, n=2))


# -- going on -------------------------------------------------------------------------------------------


def test_a_run_can_be_taken_further_and_is_the_one_it_would_have_been(whole, tmp_path):
    short = run(described(tmp_path / "run", run={"rounds": 1}))
    assert told(short.rows) == told(whole.rows[:1])
    assert told(run(described(tmp_path / "run"), resume=True).rows) == told(whole.rows)
    assert saved(tmp_path / "run") == saved(whole.folder)


def saved(folder: Path) -> dict[str, bytes]:
    """The bytes of all checkpoints by name."""
    rounds = folder / "rounds"
    return {str(path.relative_to(rounds)): path.read_bytes() for path in rounds.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"solver": {"tau": 0.2}}, "solver.tau is 0.1 in .* and 0.2 now"),
        ({"fit": {"rows": 3}}, "fit.rows is null in .* and 3 now"),
        ({"judge": {"score": "longer"}}, "judge.score"),
    ],
)
def test_another_configuration_is_refused_by_its_key(whole, changes, key):
    with pytest.raises(ConfigError, match=key):
        run(described(whole.folder, **changes), resume=True)
    with pytest.raises(ConfigError, match="holds a run already: pass --resume"):
        run(described(whole.folder))


def test_a_checkpoint_cut_in_the_middle_is_told_and_the_round_before_is_taken(whole, tmp_path, capsys):
    run(described(tmp_path / "run", run={"rounds": 2}))
    damaged = next((tmp_path / "run" / "rounds" / "00002").glob("*.safetensors"))
    os.truncate(damaged, damaged.stat().st_size // 2)
    again = run(described(tmp_path / "run"), resume=True)
    assert "00002 is damaged" in capsys.readouterr().err
    assert told(again.rows) == told(whole.rows)


def test_another_number_of_threads_is_told(tmp_path, capsys):
    run(described(tmp_path / "run", run={"rounds": 1}))
    torch.set_num_threads(2)
    try:
        run(described(tmp_path / "run", run={"rounds": 1}), resume=True)
    finally:
        torch.set_num_threads(1)
    assert "with OMP_NUM_THREADS=1, this process has 2: bits may differ" in capsys.readouterr().err


def test_a_checkpoint_of_another_base_is_refused(tmp_path):
    run(described(tmp_path / "run", run={"rounds": 1}))
    noted = tmp_path / "run" / "config.json"
    noted.write_text(noted.read_text().replace('"name": "tiny"', '"name": "tiny",\n  "seed": 1'))
    with pytest.raises(ValueError, match="trained on another base"):
        run(described(tmp_path / "run", model={"seed": 1}), resume=True)


@pytest.mark.slow
def test_a_run_killed_in_every_phase_ends_as_if_nothing_had_happened(whole, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(as_toml(described(tmp_path / "run")))
    deaths = ["collect:4", "judge:1", "fit:3", "interrupt:2", "log:1", "fit:2", "checkpoint:2", "forget:2"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.llm_dying", config, *deaths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    codes = [line.rsplit(" ", 1)[1] for line in ended.stdout.splitlines() if line.split(":")[0] in DEATHS]
    assert codes == ["-9", "-9", "-9", "130", "-9", "-9", "-9", "-9"], ended.stdout + ended.stderr
    assert "stopped; finished rounds are kept" in ended.stderr
    assert told(rows(tmp_path / "run" / "log.jsonl")) == told(whole.rows)
    assert _answers(tmp_path / "run") == _answers(whole.folder)
    one, other = tensors(tmp_path / "run"), tensors(whole.folder)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


DEATHS = ("collect", "judge", "fit", "interrupt", "log", "checkpoint", "forget")


def _answers(folder: Path) -> set[str]:
    return set((folder / "judge.jsonl").read_text().splitlines())


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Weights and optimiser moments of all checkpoints."""
    found = sorted((folder / "rounds").rglob("*.safetensors"))
    return {
        f"{path.parent}/{name}"[len(str(folder)) :]: tensor
        for path in found
        for name, tensor in load_file(path).items()
    }


def test_a_judge_that_fails_ends_the_run_and_loses_nothing(whole, tmp_path, monkeypatch):
    calls, shorter = 0, rules.shorter

    def failing(prompt: str, response: str) -> float:
        nonlocal calls
        calls += 1
        if calls == 40:
            raise TimeoutError("no answer")
        return shorter(prompt, response)

    monkeypatch.setattr(rules, "shorter", failing)
    with pytest.raises(JudgeError, match="TimeoutError: no answer"):
        run(described(tmp_path / "run"))
    monkeypatch.setattr(rules, "shorter", shorter)
    assert told(run(described(tmp_path / "run"), resume=True).rows) == told(whole.rows)


# -- what goes wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name", "error", "remedy"),
    [
        (Adam, "step", torch.OutOfMemoryError("CUDA out of memory."), "at fit: lower fit.rows"),
        (
            Adam,
            "step",
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "at fit: lower fit.rows",
        ),
        (Free, "draw", MemoryError(), "at collect: lower arena.max_new_tokens"),
    ],
)
def test_out_of_memory_says_which_setting_to_lower(owner, name, error, remedy, tmp_path, monkeypatch):
    def greedy(*arguments, **options):
        raise error

    monkeypatch.setattr(owner, name, greedy)
    with pytest.raises(OutOfMemory, match=remedy):
        run(described(tmp_path / "run"))


def test_what_cannot_be_run_is_said_before_anything_is_loaded(tmp_path):
    for changes, message in [
        ({"fit": {"lrate": 1.0}}, "fit.lrate is unknown: .* takes rule, epochs"),
        ({"fit": {"lr": -1.0}}, r"\[fit\] Fit: lr must be above 0"),
        ({"arena": {"samples": 1}}, r"\[arena\] samples must be at least 2"),
        ({"data": {"source": "nowhere.jsonl"}}, r"\[data\] .*nowhere.jsonl"),
        ({"data": {"per_round": 9}}, "data.per_round = 9: it must be from 1 to 8"),
        ({"evaluate": {"held_out": 8}}, "evaluate.held_out = 8: it must leave some"),
        (
            {"solver": {"name": "Best", "inner": {"name": "SPPO", "eta": 1.0}, "tau": 0.1}},
            "solver.eta is unknown",
        ),
    ]:
        with pytest.raises(ConfigError, match=message):
            run(described(tmp_path / "run", **changes))
    assert not (tmp_path / "run" / "config.json").exists()


def test_the_command_line_ends_with_one_line_and_a_code(tmp_path):
    command = CliRunner()
    missing = command.invoke(app, [str(tmp_path / "no.toml")])
    assert missing.exit_code == 2 and missing.stderr.count("\n") == 1 and "does not exist" in missing.stderr
    config = tmp_path / "run.toml"
    config.write_text(as_toml(described(tmp_path / "run", run={"rounds": 1})))
    done = command.invoke(app, [str(config)])
    assert done.exit_code == 0 and "1 rounds in" in done.stdout
    again = command.invoke(app, [str(config)])
    assert again.exit_code == 2 and "--resume" in again.stderr


def test_an_experts_answers_are_imitated_and_conversations_are_read(tmp_path):
    asked = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is 1 plus 2?"}]
    lines = [{"question": asked, "answer": "3"}, {"question": "What is 2 plus 2?", "answer": "4"}]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = {"source": str(tmp_path / "data.jsonl"), "column": "question", "answers": "answer"}
    values = described(tmp_path / "run", evaluate={"gap_every": 0})
    values |= {"data": data, "solver": {"name": "SPIN", "lam": 1.0}}
    done = run(values)
    assert done.state.t == 3
    assert list(map(str, done.arena.prompts)) == [
        "system: Be short.\n\nuser: What is 1 plus 2?",
        "What is 2 plus 2?",
    ]
    begin, system = done.arena.lm.tokenizer("<bos><system>", add_special_tokens=False)["input_ids"][:2]
    assert done.arena.space.sampling.prompts[0][:2] == [begin, system]


# -- logs -----------------------------------------------------------------------------------------------


def test_tensorboard_holds_what_the_log_holds(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = run(described(tmp_path / "run", run={"rounds": 2}, log={"tensorboard": True}))
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    losses = [(event.step, event.value) for event in events.Scalars("loss")]
    assert losses == [(row["round"], pytest.approx(row["loss"], rel=1e-6)) for row in done.rows]
    assert "seconds/fit" in events.Tags()["scalars"] and "win_rate_reference/mean" in events.Tags()["scalars"]


@pytest.mark.parametrize("package", ["wandb", "trackio"])
def test_a_logger_that_is_not_installed_is_named(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"log.{package} is on but {package} is not installed"):
        run(described(tmp_path / "run", log={package: "project"}))


def test_a_row_torn_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"round": 1}\n{"round": 2, "lo')
    assert rows(path) == [{"round": 1}]


# -- prompts by rounds ----------------------------------------------------------------------------------


def test_each_round_can_play_prompts_of_its_own(tmp_path, monkeypatch):
    drawn, write = [], json.dump
    monkeypatch.setattr(
        json, "dump", lambda what, file, **how: (drawn.append(what), write(what, file, **how))
    )
    done = run(described(tmp_path / "run", data={"per_round": 4}, evaluate={"every": 0, "gap_every": 0}))
    drawn = [what for what in drawn if "truncated" in what]
    assert done.state.t == 3 and len(done.arena.prompts) == 4  # measured on
    played = [{int(x) for x in some["prompt"]} for some in drawn]
    assert played == [{0, 1, 2, 3}] * 2 + [{4, 5, 6, 7}] * 2 + [{0, 1, 2, 3}] * 2  # EGPO draws twice a round


@pytest.mark.parametrize(
    "solver",
    [
        {"name": "ENPO", "tau": 0.1, "labels": 2},
        {"name": "XPO", "tau": 0.5, "alpha": 0.01},
        {"name": "Optimistic", "tau": 0.5},
    ],
    ids=lambda solver: solver["name"],
)
def test_a_learner_streams_through_the_prompts_and_goes_on_to_the_bit(solver, tmp_path):
    def started(name, rounds):
        values = described(tmp_path / name, data={"per_round": 3}, evaluate={"gap_every": 0})
        return values | {"solver": solver, "run": values["run"] | {"rounds": rounds}}

    through = run(started("through", 3))
    run(started("halted", 2))
    again = run(started("halted", 3), resume=True)
    assert told(again.rows) == told(through.rows)
    assert again.state.policy.id == through.state.policy.id
    evidence = next(part for part in _parts(through.state.memory) if hasattr(part, "draws"))
    rounds = np.searchsorted([3, 6], evidence.draws.prompt, side="right")
    assert set(evidence.draws.prompt) == set(range(6))  # two blocks of three, then the first again
    assert np.bincount(rounds)[0] == 2 * np.bincount(rounds)[1]


def _parts(memory):
    return memory if isinstance(memory, tuple) else (memory,)
