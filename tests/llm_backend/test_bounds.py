"""Exploitability from below: the strongest of several opponents, without the bias of choosing it."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from llm_backend import TextArena, bounds, evaluate, judges
from llm_backend.policies.handles import BASE, Adapter, Answers
from llm_backend.tiny import tiny_language_model

torch.set_num_threads(1)

MOVES = ("rock", "paper", "scissors")
RPS = np.array([[0.5, 0.1, 0.9], [0.9, 0.5, 0.1], [0.1, 0.9, 0.5]])


def arena(P, names, seed=0):
    lm = tiny_language_model(lora=2, texts=[*names * 3, "Your move:"])
    played = TextArena(lm, ["Your move:"], judges.Table(P, names), samples=4, responses=names, seed=seed)
    return played


def pure(played, y):
    weights = tuple(np.eye(len(some))[y] for some in played.uniform.weights)
    return Answers(played.uniform.texts, weights)


def test_the_strongest_opponent_is_found_and_its_gain_is_the_true_one():
    played = arena(RPS, MOVES)
    rock, paper, scissors = (pure(played, y) for y in range(3))
    found = bounds.lower_bound(played, rock, 0.0, 32, {"a round": rock, "paper": paper, "scissors": scissors})
    assert found.opponent == "paper" and set(found.chosen_by) == {"a round", "paper", "scissors"}
    assert found.estimate.mean == pytest.approx(0.4, abs=1e-6)
    alone = bounds.lower_bound(played, rock, 0.0, 32, {"scissors": scissors})
    assert alone.opponent == "scissors" and alone.estimate.mean == pytest.approx(-0.4, abs=1e-6)


def test_the_maximum_of_many_equal_gains_has_no_bias():
    """Every pure policy of a cyclic game gains 0 over the uniform one, however many there are."""
    n = 9
    gap = (np.arange(n)[None] - np.arange(n)[:, None]) % n
    P = np.where(gap == 0, 0.5, np.where(gap <= n // 2, 1.0, 0.0))
    played = arena(P, tuple(f"move{y}" for y in range(n)))
    opponents = {str(y): pure(played, y) for y in range(n)}
    honest, naive = [], []
    for t in range(60):
        at = played.at(t)
        honest.append(bounds.lower_bound(at, played.uniform, 0.0, 8, opponents).estimate.mean)
        naive.append(
            max(evaluate.gains(at, one, played.uniform, 0.0, 8).mean() for one in opponents.values())
        )
    error = np.std(honest) / np.sqrt(len(honest))
    assert abs(np.mean(honest)) < 3 * error
    assert np.mean(naive) > 5 * error  # what the maximum on one set of duels would say


def test_a_bound_needs_an_opponent():
    played = arena(RPS, MOVES)
    with pytest.raises(ValueError, match="needs an opponent"):
        bounds.lower_bound(played, played.uniform, 0.1, 4, {})
    with pytest.raises(ValueError, match="needs tau above 0"):
        bounds.best_responses(played, played.uniform, 0.0)


def trained_by(*notes: dict[str, Any]) -> Any:
    """An arena whose fits have these notes, and the steps that it was asked for."""
    asked: list[tuple[object, float, int]] = []
    journal: list[dict[str, Any]] = []

    def at(t: int) -> Any:
        def mirror_step(prior: object, opponent: object, step: float) -> Adapter:
            asked.append((prior, step, t))
            journal.append(notes[len(journal)])
            return Adapter(f"fit {len(journal)}", {})

        return SimpleNamespace(mirror_step=mirror_step)

    mixture = lambda *terms: tuple((weight, getattr(one, "id", "base")) for weight, one in terms)  # noqa: E731
    return SimpleNamespace(
        at=at, journal=journal, round=5, reference=BASE, geometric_mixture=mixture, asked=asked
    )


def test_a_best_response_is_trained_until_it_is_certified():
    good, weak = {"share": 0.99, "slope": 0.6}, {"share": 0.95, "slope": 0.2}
    for notes, tries in (((good,), 1), ((weak, good), 2), ((weak, weak, weak, weak), 3), (({},), 1)):
        fake = trained_by(*notes)
        found = bounds.best_responses(fake, BASE, 0.1)
        assert len(found) == tries and found[-1].certified == (notes[tries - 1] in (good, {}))
    fake = trained_by(weak, weak, {"share": 0.3})
    assert not bounds.best_responses(fake, BASE, 0.1)[-1].certified
    (first, second, third) = fake.asked
    assert first[:2] == (BASE, 10.0)
    assert second[:2] == (((0.5, "base"), (0.5, "fit 1")), 5.0)  # the same fixed point at half the step
    assert len({t for _, _, t in (first, second, third)}) == 3  # fresh draws


def test_the_cost_is_known_before_it_is_spent():
    played = arena(RPS, MOVES)
    cost = bounds.cost(played, played, samples=6, opponents=2)
    assert cost.fits == 3 and cost.duels == 6 * 6
    assert str(cost) == f"up to 3 fits, {cost.responses} responses and {cost.duels + cost.pairs} judged pairs"
    assert cast(Any, played.journal) == []
