"""How good a policy is: exploitability from below, win rates, KL, length, entropy, each with its interval.

Everything is measured on fresh responses whose randomness no training shares. Intervals are for the prompts
at hand: they say what other responses to these prompts would change, not what other prompts would.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import pgames
from llm_backend.policies.handles import Answers, Blend, Policy, members
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs.verdicts import judged

LEVEL = 0.95
EVALUATION = 1 << 20  # keys of these draws begin with it, so that no training draw shares them


class Estimate(NamedTuple):
    """A mean with half the width of its 95 % interval; margin 0 is exact."""

    mean: float
    margin: float

    @property
    def low(self) -> float:
        return self.mean - self.margin

    @property
    def high(self) -> float:
        return self.mean + self.margin


def estimate(values: Floats, bounded: bool = False) -> Estimate:
    """The mean over prompts and draws float64[X, m], m >= 2, by Student's t on the variance within prompts.

    `bounded`: values lie in [0, 1], and the variance is taken as if a 0 and a 1 had been seen beside them, so
    that a clean sweep of a few duels is no certainty.
    """
    from scipy.stats import t

    X, m = values.shape
    if m < 2:
        raise ValueError(f"an interval needs at least 2 draws per prompt, got {m}.")
    squares, degrees = float(((values - values.mean(axis=1, keepdims=True)) ** 2).sum()), X * (m - 1)
    if bounded:
        mean = float(values.mean())
        squares, degrees = squares + mean**2 + (1 - mean) ** 2, degrees + 2
    margin = float(t.ppf((1 + LEVEL) / 2, degrees)) * float(np.sqrt(squares / degrees / (X * m)))
    return Estimate(float(values.mean()), margin)


def win_rate(arena: Any, first: Policy, second: Policy, samples: int) -> Estimate:
    """P(first > second) from `samples` fresh duels per prompt."""
    ours, theirs = _draw(arena, first, samples, "first"), _draw(arena, second, samples, "second")
    return estimate(_duels(arena, ours, theirs).reshape(-1, samples), bounded=True)


def kl(arena: Any, policy: Policy, samples: int) -> Estimate:
    """KL(policy || reference) of whole responses in nats, the mean over prompts."""
    draws = _draw(arena, policy, samples, "first")
    ratio = log_probabilities(arena, policy, draws) - log_probabilities(arena, arena.reference, draws)
    return estimate(ratio.reshape(-1, samples))


def exploitability(
    arena: Any, policy: Policy, tau: float, samples: int, best: Policy | None = None
) -> Estimate:
    """A lower bound on max_p J_tau(p, policy) - 1/2, the mean over prompts: what one opponent gains.

    The opponent is the regularised best response, trained by the arena itself:
    best = mirror_step(reference, opponent=policy, 1 / tau); its gain
    P(best > policy) - tau KL(best || ref) + tau KL(policy || ref) - 1/2 is measured on fresh duels. However
    badly it was trained, the mean of the estimate is at most the exploitability. Pass `best` to measure the
    gain of another opponent, for instance of one trained on other prompts.
    """
    rival: Policy = arena.mirror_step(arena.reference, policy, 1 / tau) if best is None else best
    ours, theirs = _draw(arena, rival, samples, "first"), _draw(arena, policy, samples, "second")

    def ratio(which: Policy, draws: Draws) -> Floats:
        return log_probabilities(arena, which, draws) - log_probabilities(arena, arena.reference, draws)

    gains = _duels(arena, ours, theirs) - tau * ratio(rival, ours) + tau * ratio(policy, theirs) - 0.5
    return estimate(gains.reshape(-1, samples))


def exact_exploitability(arena: Any, policy: Policy, tau: float) -> float:
    """max_p J_tau(p, policy) - 1/2 of an enumerable game, the mean over prompts."""
    game = arena.game.with_reference(arena.probs(arena.reference))
    return float(np.mean(pgames.exploitability(game, arena.probs(policy), tau)))


def log_probabilities(arena: Any, policy: Policy, draws: Draws) -> Floats:
    """log pi(response | prompt) float64[B] of the policy that draws are of.

    A geometric mixture of free text is the one that is sampled, token by token. ValueError unless `scored`.
    """
    if arena.listed:
        return arena.space.logs(policy)[draws.prompt, draws.column]
    if not scored(arena, policy):
        raise ValueError(
            "this policy has no log-probability (answers, or a geometric mixture corrected by resampling): "
            "measure one that was fitted to it, arena.distil(policy)."
        )
    parts = [np.log(weight) + arena.space.score(member, draws) for weight, member in members(policy)]
    return np.logaddexp.reduce(parts)


def scored(arena: Any, policy: Policy) -> bool:
    """Whether log pi(response) is known for what is drawn of the policy."""
    unknown = (Answers, Blend) if not arena.listed and arena.space.correct > 1 else (Answers,)
    return arena.listed or not any(isinstance(member, unknown) for _, member in members(policy))


def measure(arena: Any, policy: Policy, past: dict[int, Policy], samples: int) -> dict[str, Any]:
    """Win rates against reference and past selves, KL to the reference, entropy, length, truncated share.

    `entropy` is that of whole responses, in nats; `length` is in tokens, EOS included. A geometric mixture of
    free text is measured as it is sampled, token by token; with `correct` > 1 it has no KL and no entropy.
    """
    draws = _draw(arena, policy, samples, "first")
    base = _draw(arena, arena.reference, samples, "second")
    length = [len(row) for row in draws.tokens]
    row: dict[str, Any] = {}
    if scored(arena, policy):
        logs = log_probabilities(arena, policy, draws)
        ratio = (logs - log_probabilities(arena, arena.reference, draws)).reshape(-1, samples)
        row = {
            "kl_reference": _row(estimate(ratio)),
            "entropy": float(-logs.mean()),
            "entropy_per_token": float(-logs.sum() / sum(length)),
        }
    return {
        "win_rate_reference": _row(win_rate(arena, policy, arena.reference, samples)),
        "win_rate_past": {str(t): _row(win_rate(arena, policy, old, samples)) for t, old in past.items()},
        **row,
        "length": float(np.mean(length)),
        "length_reference": float(np.mean([len(row) for row in base.tokens])),
        "truncated": float(draws.truncated.mean()),
    }


def _row(value: Estimate) -> dict[str, float]:
    return {"mean": value.mean, "margin": value.margin}


def _draw(arena: Any, policy: Policy, samples: int, role: str) -> Draws:
    """`samples` responses per prompt, prompt by prompt, that no training has seen."""
    key = (arena.seed, EVALUATION + arena.round, *role.encode())
    draws = arena.space.draw(policy, samples, key)
    return draws.take(np.argsort(draws.prompt, kind="stable"))


def _duels(arena: Any, first: Draws, second: Draws) -> Floats:
    return judged(arena.judge, arena.prompts, first, second)
