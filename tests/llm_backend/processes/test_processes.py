"""Several processes: the losses of one, sharded weights, no kill that loses a round, errors printed once."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from llm_backend.arena import TextArena
from llm_backend.judges.shared import SharedJudge
from llm_backend.runs.logs import rows
from llm_backend.runs.loop import run
from llm_backend.runs.meter import Meter
from llm_backend.spaces.draws import Draws
from llm_backend.tiny import PROMPTS, tiny_tokenizer
from llm_backend.verbs.verdicts import wins_among
from tests.llm_backend.runs.test_runs import as_toml, described, tensors, told
from tests.support import ROOT
from tests.support.llm_tiny import tiny_lm

torch.set_num_threads(1)

ONE_EACH = {"OMP_NUM_THREADS": "1"}
CALM = {"lr": 1e-3, "eps": 1e-2}  # else AdamW leaves its target, by signs of gradients that are rounding
FULL = {  # a step makes 2 passes, then 1
    "model": {"lora": 0},
    "fit": CALM | {"clip": 1.0, "moments": True, "betas": [0.5, 0.95], "batch": 3, "rows": 3},
    "evaluate": {"gap_every": 0},
}
LIST = {
    "model": {"lora": 0},
    "arena": {"responses": ["1", "2", "1 plus 2"], "samples": 3},
    "fit": {"rule": "grpo"},
    "run": {"rounds": 1},
}
ADAPTERS = {"evaluate": {"gap_every": 0}, "fit": CALM, "solver": {"eta": 5.0}}  # losses far above rounding
TIED = {
    "model": {"name": "gpt2", "lora": 0, "checkpointing": True},
    "solver": {"name": "OnlineIPO"},
    "evaluate": {"gap_every": 0},
    "run": {"rounds": 2},
}
SPLIT = {"run": {"rounds": 3, "shard": True}}
PLAN = [  # name of the run, processes, what it changes, what happens to it
    ("one full", 1, FULL, "weigh:5"),
    ("two full", 2, FULL | SPLIT, "weigh:5"),
    ("dying", 2, FULL | SPLIT, "kill:checkpoint:1"),  # of the first round
    ("dying", 2, FULL | SPLIT, "kill:collect:1"),  # which is not drawn again: of the second
    ("dying", 2, FULL | SPLIT, "kill:judge:1"),
    ("dying", 2, FULL | SPLIT, "kill:fit:14"),  # of the third
    ("dying", 2, FULL | SPLIT, ""),
    ("one list", 1, LIST, ""),
    ("two list", 2, LIST | {"run": {"rounds": 1, "shard": True}}, ""),
    ("one tied", 1, TIED, ""),
    ("two tied", 2, TIED | {"run": {"rounds": 2, "shard": True}}, "kill:fit:6"),  # of the second round
    ("two tied", 2, TIED | {"run": {"rounds": 2, "shard": True}}, ""),
    ("one", 1, ADAPTERS, ""),
    ("judge", 2, ADAPTERS, "judge:90"),
    ("judge", 2, ADAPTERS, "interrupt:fit:3:0"),
    ("judge", 2, ADAPTERS, "lose:fit:2:1"),
    ("judge", 2, ADAPTERS, ""),
    ("memory", 2, ADAPTERS | SPLIT, "fail:fit:6:1"),
    ("memory", 2, ADAPTERS | SPLIT, ""),
]


def save_gpt2(folder: Path) -> None:
    """A model that is not a Llama and whose head is its embedding."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = tiny_tokenizer(PROMPTS)
    size: dict[str, Any] = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 63}  # odd: uneven shards
    size |= {"vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(**size))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Every run of PLAN, in turn: [(folder, what ended each time)] by name."""
    home, plan = tmp_path_factory.mktemp("processes"), []
    save_gpt2(home / "gpt2")
    for i, (name, size, changes, event) in enumerate(PLAN):
        config = home / f"{i}.toml"
        config.write_text(as_toml(described(home / name, **changes)))
        plan.append([size, str(config), event])
    (home / "plan.json").write_text(json.dumps(plan))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.llm_processes", home / "plan.json"],
        cwd=home,  # where the model called gpt2 is
        capture_output=True, text=True, timeout=500,
        env=os.environ | ONE_EACH | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found: dict[str, tuple[Path, list[dict]]] = {}
    for (name, *_), line in zip(PLAN, ended.stdout.splitlines(), strict=True):
        found.setdefault(name, (home / name, []))[1].append(json.loads(line))
    return found


def log(played, name: str) -> list[dict]:
    folder, ends = played[name]
    assert set(ends[-1]["codes"]) == {0}, ends[-1]["err"]
    return rows(folder / "log.jsonl")


def alike(one: list[dict], two: list[dict]) -> None:
    """Two rounds have the same losses; later ones drift apart, because Adam divides rounding by rounding."""
    assert [row["processes"] for row in one + two] == [1] * len(one) + [2] * len(two)
    for first, second in list(zip(one, two, strict=True))[:2]:
        assert second["losses"] == pytest.approx(first["losses"], rel=1e-5, abs=1e-7)
        assert (first["tokens"], first["tokens_trained"]) == (second["tokens"], second["tokens_trained"])
        assert second["kl_reference"]["mean"] == pytest.approx(first["kl_reference"]["mean"], abs=1e-5)


@pytest.mark.slow
def test_two_processes_started_by_a_launcher(tmp_path):
    values = described(tmp_path / "run", run={"rounds": 1}, **ADAPTERS)
    (tmp_path / "run.toml").write_text(as_toml(values))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "llm_backend"]
    ended = subprocess.run(
        [sys.executable, *launch, str(tmp_path / "run.toml")],
        capture_output=True, text=True, timeout=500, env=os.environ | ONE_EACH,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    one = run(described(tmp_path / "one", run={"rounds": 1}, **ADAPTERS))
    alike(one.rows, rows(tmp_path / "run" / "log.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("one", "judge"),
        ("one", "memory"),
        ("one full", "two full"),
        ("one list", "two list"),
        ("one tied", "two tied"),
    ],
)
def test_two_processes_have_the_losses_of_one(one, two, played):
    """Copies, a sharded frozen base, all weights sharded: of a Llama, of an enumerable game with a policy
    gradient, of a model with tied weights that recomputes activations and plays mixtures."""
    alike(log(played, one), log(played, two))


@pytest.mark.slow
def test_all_weights_in_shares_take_half_the_memory_and_are_the_same_policies(played):
    (one,), (first, second) = (played[name][1][0]["noted"] for name in ("one full", "two full"))
    for process in (first, second):
        assert 0.48 * one["bytes"] <= process["bytes"] <= 0.55 * one["bytes"]
    assert first["ids"] == second["ids"] and len(set(first["ids"])) == 6


@pytest.mark.slow
def test_what_two_processes_saved_in_shares_one_reads_whole(played, tmp_path):
    folder, ends = played["two full"]
    lm = run(described(tmp_path / "run", **(FULL | {"run": {"rounds": 1}}))).arena
    assert lm.load(folder / "rounds" / "00003").policy.id == ends[0]["noted"][0]["ids"][-1]


@pytest.mark.slow
def test_two_processes_killed_in_every_phase_end_as_if_nothing_had_happened(played):
    ends = played["dying"][1]
    assert [end["codes"] for end in ends] == [[-9, -9]] * 4 + [[0, 0]]
    assert [len(end["rounds"]) for end in ends] == [0, 1, 1, 2, 2]
    assert played["two tied"][1][0]["codes"] == [-9, -9] and len(played["two tied"][1][0]["rounds"]) == 1
    assert told(log(played, "dying")) == told(log(played, "two full"))
    one, other = (tensors(played[name][0]) for name in ("dying", "two full"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_one_process_that_fails_ends_all_and_says_so_once(played):
    judge, interrupted, lost, _ = played["judge"][1]
    memory, _ = played["memory"][1]
    for end, codes, why in (
        (judge, [1, 1], "StopIteration"),
        (interrupted, [130, 1], "stopped; finished rounds are kept"),
        (lost, [1, -9], "another process has ended"),
        (memory, [1, 1], "out of memory at fit: lower fit.rows"),
    ):
        said = [line for err in end["err"] for line in err.splitlines() if not line.startswith("round ")]
        assert end["codes"] == codes and len(said) == 1 and why in said[0], end["err"]


# -- wrapped judges -------------------------------------------------------------------------------------


class Hopeful:
    """Prefers the later letter when it comes first; otherwise gives 1/2."""

    as_is = True
    antisymmetric = False
    name = "Hopeful"

    def prefer(self, prompts, firsts, seconds):
        return np.array([0.6 if y > z else 0.5 for y, z in zip(firsts, seconds, strict=True)])


@pytest.mark.parametrize("wrap", [lambda judge: judge, SharedJudge], ids=["plain", "shared"])
@pytest.mark.parametrize("antisymmetric", [False, True])
def test_both_orders_are_asked_of_a_judge_that_is_not_antisymmetric(wrap, antisymmetric, monkeypatch):
    monkeypatch.setattr(Hopeful, "antisymmetric", antisymmetric)
    arena = TextArena(tiny_lm(), ["a"], Hopeful(), samples=3, responses=["c", "d", "e"])
    meter = Meter()
    arena = meter.watch(arena.within(replace(arena.context, judge=wrap(arena.judge))))
    assert (arena.judge.name, arena.judge.as_is) == ("Hopeful", True)
    draws: Draws = arena.context.listing.all
    upper, lower = (0.5, 0.6) if not antisymmetric else (0.5, 0.5)
    tied = pytest.warns(UserWarning, match="the judge preferred nothing") if antisymmetric else nullcontext()
    with tied:
        table = arena.rates()[0]
    assert table.tolist() == [[0.5, upper, upper], [lower, 0.5, upper], [lower, lower, 0.5]]
    expected = table.mean(axis=1)
    won = wins_among(arena.judge, arena.prompts, draws)
    np.testing.assert_allclose(won.mean, expected, atol=1e-15)
    assert meter.judged == (6 if antisymmetric else 12)
