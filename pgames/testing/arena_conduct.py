"""The conduct of arenas: pure verbs, immutable handles, separate runs, evidence that pools with `+`."""

from __future__ import annotations

import numpy as np

from pgames.losses import squared
from pgames.solver import Pi, Weight
from pgames.testing.looking import Tried, fits_pairs, fits_rewards
from pgames.testing.report import Measured, Property
from pgames.testing.subject import Array, Subject, apart, inner_step, worst_identity

STEP = 0.7


def _distributions(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies
    outside = s.probs(s.arena.reference) == 0
    made = [
        s.arena.geometric_mixture((1.5, a), (-0.5, b)),
        s.arena.mixture((0.5, a), (0.5, c)),
        *(s.arena.mirror_step(a, b, step) for step in (0.1, 1e6, -1e6)),
    ]
    worst = 0.0
    for policy in (s.arena.reference, a, b, c, *made):
        p = s.probs(policy)
        off = [np.abs(p.sum(axis=-1) - 1).max(), -p.min(), np.where(outside, np.abs(p), 0.0).max()]
        worst = np.max([worst, *off])
    return Measured(
        "a policy's distance from a distribution on the reference's support",
        float(worst),
        max(s.tolerance, 1e-9),
    )


# -- purity ----------------------------------------------------------------------------------------------


def _answers(arena: Tried[Pi], policies: tuple[Pi, ...]) -> list[Array]:
    """The answers of an arena about policies, to the same questions in the same order."""
    a, b, _ = policies
    said = [arena.win_rate(a, b), arena.win_rate(b, a), arena.probs(arena.mirror_step(a, b, STEP))]
    return [np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in said]


def _bits(first: list[Array], second: list[Array]) -> float:
    """0.0 when two lists of answers are the same to the last bit."""
    gaps = [np.abs(x - y).max() if x.shape == y.shape else np.inf for x, y in zip(first, second, strict=True)]
    return float(np.max(gaps))


def _purity(s: Subject[Pi]) -> Measured:
    arena = s.arena.at(3)
    first = _answers(arena, s.policies)
    _answers(arena, s.policies[::-1])
    return Measured(
        "the same question twice in one round: the difference of the answers",
        _bits(first, _answers(arena, s.policies)),
        0.0,
    )


def _rounds(s: Subject[Pi]) -> Measured:
    now = _answers(s.arena.at(1), s.policies)
    later = _answers(s.arena.at(1).at(2), s.policies)
    direct = _answers(s.arena.at(2), s.policies)
    if s.noise and _bits(now, direct) == 0:
        return Measured(
            "the share of repeated sampled answers between rounds 1 and 2",
            1.0,
            0.0,
            "Every round must sample anew: is t in the key of the random stream?",
        )
    return Measured("at(1).at(2) and at(2) differ: the difference", _bits(later, direct), 0.0)


def _immutable(s: Subject[Pi]) -> Measured:
    handles = (s.arena.reference, *s.policies)
    before = [s.probs(policy) for policy in handles]
    a, b, c = s.policies
    _answers(s.arena, s.policies)
    s.arena.geometric_mixture((0.5, a), (0.5, b))
    s.arena.mixture((0.5, b), (0.5, c))
    s.arena.anchored(c)
    after = [s.probs(policy) for policy in (s.arena.reference, *s.policies)]
    return Measured("the change of handles given to verbs", _bits(before, after), 0.0)


def _anchored(s: Subject[Pi]) -> Measured:
    a = s.policies[0]
    moved = s.arena.anchored(a)
    changed = _bits(_answers(moved, s.policies), _answers(s.arena, s.policies))
    if changed:
        return Measured("the change of win rates and mirror steps by anchored()", changed, 0.0)
    views = (moved, moved.at(2), s.arena.at(2).anchored(a))
    off = np.max([apart(s.probs(view.reference), s.probs(a)) for view in views])
    return Measured("the distance of anchored(a).reference from a", float(off), 0.0)


# -- runs ------------------------------------------------------------------------------------------------


def _per_run_weights(s: Subject[Pi]) -> Measured | None:
    a, b, c = s.policies
    shape = s.probs(a).shape
    if len(shape) < 3 or shape[0] < 2:
        return None
    steps = np.linspace(0.1, 0.9, shape[0])

    def at(step: Weight) -> list[Array]:
        made = (
            s.arena.mirror_step(a, b, step),
            s.arena.geometric_mixture((step, a), (1 - step, c)),
            s.arena.mixture((step, a), (1 - step, c)),
        )
        return [s.probs(policy) for policy in made]

    grid = at(steps)
    single = [at(float(step)) for step in steps]
    off = [np.abs(grid[k][i] - single[i][k][i]).max() for k in range(3) for i in range(shape[0])]
    return Measured("a weight per run, minus the same weight alone,", float(np.max(off)), 0.0)


def _runs(s: Subject[Pi]) -> Measured | None:
    if s.narrow is None:
        return None
    few = _answers(s.narrow.arena.at(2), s.narrow.policies)
    many = _answers(s.arena.at(2), s.policies)
    return Measured(
        f"the first {len(few[0])} of {len(many[0])} runs differ from the narrow arena: the difference",
        _bits(few, [x[: len(y)] for x, y in zip(many, few, strict=True)]),
        0.0,
    )


# -- arenas that answer duels ----------------------------------------------------------------------------


def _evidence(s: Subject[Pi]) -> Measured | None:
    arena = s.arena
    if not fits_pairs(arena):
        return None
    a, b, _ = s.policies
    pairs = arena.duel(a, b)
    once, twice = (arena.fit_pairs(a, seen, squared, 2.0) for seen in (pairs, pairs + pairs))
    return Measured(
        "the change of a fit by counting all evidence twice",
        apart(s.probs(once), s.probs(twice)),
        max(s.tolerance, 1e-7),
    )


def _label_route(s: Subject[Pi]) -> Measured | None:
    """With pairs drawn from b on both sides, the squared loss of beta is a mirror step of 1 / beta."""
    arena = s.arena
    if s.noise or not fits_pairs(arena):
        return None
    a, b, _ = s.policies
    fitted = arena.fit_pairs(a, arena.duel(b, b), squared, 2.0)
    return Measured(
        "fit_pairs on duels of b, minus mirror_step against b,",
        apart(s.probs(fitted), s.probs(s.arena.mirror_step(a, b, 0.5))),
        max(s.tolerance, 1e-7),
    )


def _tilt(s: Subject[Pi]) -> Measured | None:
    arena = s.arena
    if not fits_rewards(arena):
        return None
    a, b, _ = s.policies
    score = arena.fit_reward(arena.duel(b, b))
    tilt, n = arena.tilt, inner_step(s, a, lambda step: arena.tilt(a, score, step))
    pairs = {
        "two tilts and their sum": (tilt(tilt(a, score, 0.5 * n), score, 0.25 * n), tilt(a, score, 0.75 * n)),
        "a tilt and back": (tilt(tilt(a, score, 0.5 * n), score, -0.5 * n), a),
    }
    return worst_identity(s, pairs)


CONDUCT = (  # immutable first: a verb that writes into handles corrupts them for the other checks
    Property(
        "immutable",
        _immutable,
        "Handles are values: a verb must return a new one and leave the reference alone.",
    ),
    Property(
        "distributions",
        _distributions,
        "A verb must return a normalised policy, with probability 0 where the reference has 0.",
    ),
    Property(
        "purity",
        _purity,
        "A verb is a function of (seed, run, round) and its arguments: is there a hidden random counter?",
    ),
    Property("rounds", _rounds, "at(t) must depend on t alone, not on the view it is called on."),
    Property(
        "anchored",
        _anchored,
        "anchored(a) is a view with reference a: same win rates, same mirror steps, and at() keeps it.",
    ),
    Property(
        "per_run_weights",
        _per_run_weights,
        "A weight float64[S] gives each run its own weight; runs must not be mixed.",
    ),
    Property(
        "runs",
        _runs,
        "A run's randomness must not depend on how many runs there are: key it by the run's number.",
    ),
    Property(
        "evidence",
        _evidence,
        "Evidence pools with +, and a fit depends on shares, not on totals.",
    ),
    Property(
        "label_route",
        _label_route,
        "With pairs drawn from b, the squared loss must recover P(y > b).",
    ),
    Property("tilt", _tilt, "tilt is prior * exp(step * score): steps add up."),
)
