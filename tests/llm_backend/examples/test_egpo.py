"""The readable loop plays the rounds of the checked runner to the bit."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import pgames as pg  # noqa: E402
from llm_backend import Fit, TextArena, judges  # noqa: E402
from llm_backend.examples import egpo  # noqa: E402
from llm_backend.policies.handles import BASE  # noqa: E402
from llm_backend.runs.loop import run  # noqa: E402
from llm_backend.tiny import PROMPTS, tiny_language_model  # noqa: E402

torch.set_num_threads(1)
RULE = {"kind": "Rule", "score": "shorter"}


def read(rounds: int) -> tuple[list[list[float]], list[str]]:
    """Losses and the adapter's fingerprint after each round of the example."""
    lm, policy, losses, names = tiny_language_model(), BASE, [], []
    judge = judges.Rule(judges.rules.shorter, name="shorter")
    for t in range(rounds):
        policy, lost = egpo.egpo_round(lm, PROMPTS, judge, policy, key=(0, t))
        losses.append(lost)
        names.append(policy.id)
    return losses, names


def configuration(folder) -> dict:
    return {
        "model": {"name": "tiny"},
        "data": {"source": "tiny"},
        "judge": RULE,
        "solver": {"name": "EGPO", "tau": egpo.TAU, "eta": egpo.ETA},
        "arena": {"samples": egpo.SAMPLES, "max_new_tokens": egpo.LONGEST},
        "fit": {"epochs": egpo.EPOCHS, "lr": egpo.RATE},
        "log": {"tensorboard": False},
        "evaluate": {"every": 0},
        "run": {"rounds": 2, "out": str(folder)},
    }


def test_the_example_has_the_losses_and_the_weights_of_the_runner(tmp_path):
    losses, names = read(rounds=2)
    finished = run(configuration(tmp_path / "run"))
    n = egpo.EPOCHS
    assert [row["losses"] for row in finished.rows] == [[lost[n - 1], lost[-1]] for lost in losses]
    assert finished.state.policy.id == names[-1]


def test_every_loss_is_that_of_the_arena():
    losses, names = read(rounds=2)
    judge = judges.Rule(judges.rules.shorter, name="shorter")
    how = Fit(epochs=egpo.EPOCHS, lr=egpo.RATE)
    lm = tiny_language_model()
    arena = TextArena(lm, PROMPTS, judge, egpo.SAMPLES, max_new_tokens=egpo.LONGEST, fit=how)
    state = pg.solve(pg.EGPO(egpo.TAU, egpo.ETA), arena, rounds=2)
    n = egpo.EPOCHS
    assert state.policy.id == names[-1]
    noted = [(fit["first_loss"], fit["loss"]) for fit in arena.journal]
    assert noted == [(lost[i], lost[i + n - 1]) for lost in losses for i in (0, n)]


def test_another_seed_has_other_losses():
    lm, judge = tiny_language_model(), judges.Rule(judges.rules.shorter, name="shorter")
    _, lost = egpo.egpo_round(lm, PROMPTS, judge, BASE, key=(1, 0))
    assert lost != read(rounds=1)[0][0]
