"""Measurements of a policy: exploitability from below, win rates and KL with intervals; length and entropy.

All are taken on fresh draws whose randomness no training shares. Intervals cover the randomness of responses
to the given prompts, not the choice of prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from llm_backend.arena import TextArena
from llm_backend.context import Role
from llm_backend.policies.handles import Policy
from llm_backend.spaces import scores
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs.verdicts import judged

LEVEL = 0.95
EVALUATION = 1 << 20  # added to the round in keys, so that no training draw shares them

Interval = dict[str, float]  # {"mean": ..., "margin": ...}
Measures = dict[str, float | Interval | dict[str, Interval]]


class Estimate(NamedTuple):
    """A mean with half the width of its 95 % interval; margin 0 is exact."""

    mean: float
    margin: float

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.margin

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.margin


def estimate(values: Floats, bounded: bool = False) -> Estimate:
    """The mean over prompts and draws float64[X, m], m >= 2, by Student's t on the variance within prompts.

    Entries that are NaN are left out, and a prompt without another entry too.

    bounded : values lie in [0, 1], and the variance is taken as if one 0 and one 1 had been drawn as well, so
        that a few duels, all won, do not look certain.

    Raises ValueError when m < 2, and when no prompt has two entries to take a variance from.
    """
    from scipy.stats import t

    X, m = values.shape
    if m < 2:
        raise ValueError(f"an interval needs at least 2 draws per prompt, got {m}.")
    known = ~np.isnan(values)
    if whole := bool(known.all()):
        means, mean, size = values.mean(axis=1), float(values.mean()), float(X * m)
    else:
        values, known = values[known.any(axis=1)], known[known.any(axis=1)]
        count = known.sum(axis=1)
        means = np.where(known, values, 0.0).sum(axis=1) / count
        mean, size = float(means.mean()), len(count) ** 2 / float((1 / count).sum())
    squares = float((np.where(known, values - means[:, None], 0.0) ** 2).sum())
    degrees = X * (m - 1) if whole else int(known.sum()) - len(means)
    if bounded:
        squares, degrees = squares + mean**2 + (1 - mean) ** 2, degrees + 2
    if not degrees:
        raise ValueError("an interval needs 2 known values for some prompt, got at most one for each.")
    margin = float(t.ppf((1 + LEVEL) / 2, degrees)) * float(np.sqrt(squares / degrees / size))
    return Estimate(mean, margin)


def over_prompts(values: Floats) -> Estimate:
    """The mean of float64[X] with its 95 % interval, which covers the choice of prompts and the draws.

    Raises ValueError for fewer than two prompts.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError(f"an interval over prompts needs at least 2 prompts, got {len(values)}.")
    width = float(t.ppf((1 + LEVEL) / 2, len(values) - 1))
    return Estimate(float(values.mean()), width * float(values.std(ddof=1)) / float(np.sqrt(len(values))))


def win_rate(arena: TextArena, first: Policy, second: Policy, samples: int) -> Estimate:
    """P(first > second) from `samples` fresh duels per prompt; those without a verdict are left out.

    Raises ValueError when `samples` < 2.
    """
    ours, theirs = _draw(arena, first, samples, "first"), _draw(arena, second, samples, "second")
    return estimate(_duels(arena, ours, theirs, some=True).reshape(-1, samples), bounded=True)


def kl(arena: TextArena, policy: Policy, samples: int) -> Estimate:
    """KL(policy || reference) of whole responses in nats, the mean over prompts.

    Raises ValueError when `samples` < 2, or when the policy has no log-probability; see `scored`.
    """
    draws = _draw(arena, policy, samples, "first")
    ratio = log_probabilities(arena, policy, draws) - log_probabilities(arena, arena.reference, draws)
    return estimate(ratio.reshape(-1, samples))


def exploitability(
    arena: TextArena, policy: Policy, tau: float, samples: int, best: Policy | None = None
) -> Estimate:
    """A lower bound on max_p J_tau(p, policy) - 1/2, the mean over prompts: the gain of one opponent.

    The opponent is the regularised best response, trained by the arena itself:
    best = mirror_step(reference, opponent=policy, 1 / tau). Its gain
    P(best > policy) - tau KL(best || ref) + tau KL(policy || ref) - 1/2 is measured on fresh duels. However
    badly the opponent was trained, the expectation of the estimate is at most the exploitability. Pass `best`
    to measure the gain of another opponent, for instance of one trained on other prompts. For the strongest
    of several, with an interval that allows for the choice, see `llm_backend.bounds`.

    Raises ValueError when `samples` < 2, or when a policy has no log-probability; see `scored`.
    """
    rival: Policy = arena.mirror_step(arena.reference, policy, 1 / tau) if best is None else best
    return estimate(gains(arena, rival, policy, tau, samples))


def gains(arena: TextArena, rival: Policy, policy: Policy, tau: float, samples: int) -> Floats:
    """J_tau(rival, policy) - 1/2 of single duels, float64[X, m] with m = `samples`: unbiased for the gain.

    Raises ValueError when tau is not 0 and a policy has no log-probability; see `scored`.
    """
    ours, theirs = _draw(arena, rival, samples, "first"), _draw(arena, policy, samples, "second")

    def ratio(which: Policy, draws: Draws) -> Floats:
        if tau == 0:
            return np.zeros(len(draws))
        return log_probabilities(arena, which, draws) - log_probabilities(arena, arena.reference, draws)

    won = _duels(arena, ours, theirs)
    return (won - tau * ratio(rival, ours) + tau * ratio(policy, theirs) - 0.5).reshape(-1, samples)


def log_probabilities(arena: TextArena, policy: Policy, draws: Draws) -> Floats:
    """log pi(response | prompt), float64[B], of the distribution that the arena samples for the policy.

    A geometric mixture of free text is sampled, and scored, token by token.
    Raises ValueError unless the policy is `scored`.
    """
    return scores.log_probabilities(arena.space, policy, draws)


def scored(arena: TextArena, policy: Policy) -> bool:
    """Whether log pi(response) is known for the arena's draws of the policy."""
    return scores.scored(arena.space, policy)


def measure(arena: TextArena, policy: Policy, past: Mapping[int, Policy], samples: int) -> Measures:
    """Win rates against reference and past policies, KL to the reference, entropy, length, truncation rate.

    `entropy` is that of whole responses, in nats; `length` is in tokens, EOS included. A geometric mixture of
    free text is measured as it is sampled, token by token; with `correct` > 1 it has no KL and no entropy.
    `past` holds the earlier policies by round. Raises ValueError when `samples` < 2.
    """
    draws = _draw(arena, policy, samples, "first")
    base = _draw(arena, arena.reference, samples, "second")
    length = [len(row) for row in draws.tokens]
    known: Measures = {}
    if scored(arena, policy):
        logs = log_probabilities(arena, policy, draws)
        ratio = (logs - log_probabilities(arena, arena.reference, draws)).reshape(-1, samples)
        known = {
            "kl_reference": _interval(estimate(ratio)),
            "entropy": float(-logs.mean()),
            "entropy_per_token": float(-logs.sum() / sum(length)),
        }
    return {
        "win_rate_reference": _interval(win_rate(arena, policy, arena.reference, samples)),
        "win_rate_past": {
            str(t): _interval(win_rate(arena, policy, old, samples)) for t, old in past.items()
        },
        **known,
        "length": float(np.mean(length)),
        "length_reference": float(np.mean([len(row) for row in base.tokens])),
        "truncated": float(draws.truncated.mean()),
    }


def _interval(value: Estimate) -> Interval:
    return {"mean": value.mean, "margin": value.margin}


def _draw(arena: TextArena, policy: Policy, samples: int, role: Role) -> Draws:
    """`samples` responses per prompt, prompt by prompt, whose randomness no training shares."""
    key = (arena.seed, EVALUATION + arena.round, *role.encode())
    draws = arena.space.draw(policy, samples, key)
    return draws.take(np.argsort(draws.prompt, kind="stable"))


def _duels(arena: TextArena, first: Draws, second: Draws, some: bool = False) -> Floats:
    return judged(arena.judge, arena.prompts, first, second, some)
