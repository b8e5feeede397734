"""Properties of every solver, and properties that one may claim: (claims, known game) -> Measured."""

from __future__ import annotations

import copy
import itertools

import numpy as np
from numpy.typing import NDArray

from pgames import games
from pgames.exact.certificates import exploitability
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame
from pgames.loop import iterate, solve
from pgames.metrics import regulariser_of
from pgames.regularisers import KL
from pgames.solver import Pi
from pgames.testing.claims import Claims, difference, distance, off_simplex
from pgames.testing.known import Known
from pgames.testing.looking import starts
from pgames.testing.report import Measured, Property

SHORT = 20  # rounds of checks that do not wait for convergence
SMALL_TAU = 1e-6
LATE = 10**12  # a round so late that decaying steps and averages are constant

SETTLED = (
    "It has settled, but elsewhere: a wrong tau, or a biased fixed point, which fixed_point= can declare."
)
MOVING = (
    "It is still moving: too few rounds, a step so large that it cycles, or no convergence of the last "
    "iterate (within=None claims none)."
)


# -- properties of every solver --------------------------------------------------------------------------


def _distributions(claims: Claims[Pi], known: Known) -> Measured:
    worst = np.max([off_simplex(p) for p in claims.policies(known.game, claims.short)])
    return Measured("the distance of a policy from a distribution", float(worst), 1e-9)


def _rounds(claims: Claims[Pi], known: Known) -> Measured:
    arena = claims.arena(known.game, samples=4, seed=3)
    states = [claims.solver.init(arena), *iterate(claims.solver, arena, claims.short)]
    miscounted = float(np.max([abs(state.t - t) for t, state in enumerate(states)]))
    if miscounted:
        return Measured(
            "the error of state.t", miscounted, 0.0, "state.t must count the rounds done, from 0."
        )
    half = claims.short // 2
    resumed = solve(claims.solver, arena, claims.short - half, states[half])
    return Measured("a run resumed half-way, minus one in one go,", difference(resumed, states[-1]), 0.0)


def _padded(game: PreferenceGame) -> PreferenceGame:
    """The game with two more responses, which beat all others and lie outside the game."""
    Y = game.responses
    P = np.full((game.prompts, Y + 2, Y + 2), 0.5)
    P[:, :Y, :Y], P[:, Y:, :Y], P[:, :Y, Y:] = game.P, 1.0, 0.0
    return PreferenceGame(P, np.pad(game.reference, ((0, 0), (0, 2))), game.prompt_weights)


def _masking(claims: Claims[Pi], known: Known) -> Measured:
    game = _padded(known.game)
    outside = [np.where(game.support, 0.0, p).sum() for p in claims.policies(game, claims.short)]
    return Measured("the mass of responses whose reference probability is 0", float(np.max(outside)), 0.0)


def _irrelevance(claims: Claims[Pi], known: Known) -> Measured:
    game = known.game
    with_others = claims.solve(_padded(game), claims.short)[:, : game.responses]
    gap = distance(with_others, claims.solve(game, claims.short))
    return Measured("the change by responses outside the game", gap, 1e-8 + claims.tolerance)


def _symmetry(claims: Claims[Pi], known: Known) -> Measured:
    game = known.game
    order = np.random.default_rng(0).permutation(game.responses)
    order = np.roll(order, 1) if (order == np.arange(order.size)).all() else order
    relabelled = PreferenceGame(game.P[:, order][:, :, order], game.reference[:, order], game.prompt_weights)
    before, after = claims.solve(game, claims.short), claims.solve(relabelled, claims.short)
    return Measured(
        f"the change by relabelling the responses {order.tolist()}",
        distance(before[:, order], after),
        1e-8 + claims.tolerance,
    )


def _prompts(claims: Claims[Pi], known: Known) -> Measured:
    game = known.game
    beside = games.duel(0.8).with_reference([0.3, 0.7])
    together = claims.solve(games.stack([game, beside]), claims.short)
    alone = np.concatenate([claims.solve(game.prompt(x), claims.short) for x in range(game.prompts)])
    return Measured(
        "the change by other prompts", distance(together[: game.prompts], alone), 1e-8 + claims.tolerance
    )


def _purity(claims: Claims[Pi], known: Known) -> Measured:
    arena = claims.arena(known.game, samples=4, seed=3)
    state = solve(claims.solver, arena, 3)
    before, reference = copy.deepcopy(state), arena.probs(arena.reference)
    first = claims.solver.step(arena.at(3), state)
    changed = difference(state, before) + distance(arena.probs(arena.reference), reference)
    if changed:
        return Measured(
            "the change that step made to its inputs",
            changed,
            0.0,
            "step must build a new state: never write into a handle.",
        )
    return Measured(
        "two steps from one state differ: the difference",
        difference(first, claims.solver.step(arena.at(3), state)),
        0.0,
    )


def _seeds(claims: Claims[Pi], known: Known) -> Measured:
    first, second = (
        solve(claims.solver, claims.arena(known.game, samples=4, seed=5), claims.short) for _ in range(2)
    )
    return Measured("two runs of one seed differ: the difference", difference(first, second), 0.0)


def _runs(claims: Claims[Pi], known: Known) -> Measured:
    def policies(runs: int, first_run: int) -> NDArray[np.float64]:
        arena = claims.arena(known.game, runs=runs, samples=4, seed=5, first_run=first_run)
        return arena.probs(solve(claims.solver, arena, claims.short).policy)

    together = policies(4, 0)
    split = np.concatenate([policies(1, 0), policies(3, 1)])
    return Measured("4 runs at once, minus the same as 1 + 3,", difference(together, split), 0.0)


def _extremes(claims: Claims[Pi], known: Known) -> Measured:
    worst = 0.0
    for at in (claims, claims.at_tau(SMALL_TAU)):
        if at is not None:
            worst = np.max([worst, *(off_simplex(p) for p in at.policies(known.game, claims.short))])
    return Measured(f"the distance from a distribution (tau as given and {SMALL_TAU:g})", float(worst), 1e-9)


def extreme_games() -> list[Known]:
    """Extreme games that a table may hold; their equilibria are not used."""
    sure = np.triu(np.ones((5, 5)), 1) + 0.5 * np.eye(5)
    named = {
        "one_response": PreferenceGame([[0.5]]),
        "sure_duel": games.duel(1.0),
        "sure_cycle": games.cyclic(5),
        "sure_ranking": PreferenceGame(sure),
        "rare_reference": games.rock_paper_scissors().with_reference([1 - 2e-300, 1e-300, 1e-300]),
        "all_ties": PreferenceGame(np.full((3, 3), 0.5)),
    }
    return [Known(name, game, game.reference) for name, game in named.items()]


# -- claims of a solver ---------------------------------------------------------------------------------


def _placed(claims: Claims[Pi], known: Known, arena: object) -> Known:
    """The known game, with the regularised equilibrium of the arena's regulariser if that is not KL."""
    regulariser = regulariser_of(arena)
    if claims.fixed_point != "regularised" or claims.tau == 0 or regulariser == KL():
        return known
    return known._replace(equilibrium=nash(known.game, claims.tau, regulariser=regulariser).policy)


def _fixed_point(claims: Claims[Pi], known: Known) -> Measured | None:
    """Start at the equilibrium (as if it were the reference), then take one step of the real game."""
    if claims.fixed_point is None:
        return None
    arena = claims.arena(known.game)
    known = _placed(claims, known, arena)
    if not starts(arena):
        raise TypeError(
            f"a fixed point needs the verbs policy and anchored, which {type(arena).__name__} lacks: pass "
            "fixed_point=None."
        )
    there = arena.policy(known.equilibrium)
    state = claims.solver.init(arena.anchored(there))._replace(t=LATE)
    moved = distance(arena.probs(claims.solver.step(arena, state).policy)[0], known.equilibrium)
    allowed = 1e-7 + claims.tolerance
    if moved <= allowed or not _forgets_its_start(claims, known):
        return Measured("one step from the equilibrium moves it: the distance", moved, allowed)
    return _settled(claims, known)


def _forgets_its_start(claims: Claims[Pi], known: Known) -> bool:
    """Whether the first step does not depend on the policy at which the solver started.

    Dual solvers, such as FTRL and regret matching, keep sums of payoffs, which are 0 at the start wherever it
    is, so no anchored arena puts them at an equilibrium. Ties show it: every payoff is then the same.
    """
    ties = PreferenceGame(np.full_like(known.game.P, 0.5), known.game.reference, known.game.prompt_weights)
    arena, uniform = claims.arena(ties), known.game.support / known.game.support.sum(axis=1, keepdims=True)
    if not starts(arena):
        return False
    ends = []
    for weight in (0.25, 0.75):
        start = arena.policy(weight * known.equilibrium + (1 - weight) * uniform)
        state = claims.solver.init(arena.anchored(start))
        ends.append(arena.probs(claims.solver.step(arena, state).policy)[0])
    first = distance(0.25 * known.equilibrium + 0.75 * uniform, 0.75 * known.equilibrium + 0.25 * uniform)
    return bool(distance(*ends) < 1e-9 + claims.tolerance) and first > 1e-6


def _settled(claims: Claims[Pi], known: Known) -> Measured | None:
    """Play until the solver has settled at the equilibrium, if it claims to, then take one step."""
    if claims.within is None:
        return None
    arena, before = claims.arena(known.game), claims.play(known.game, claims.rounds).last
    there = distance(arena.probs(before.policy)[0], known.equilibrium)
    after = arena.probs(claims.solver.step(arena.at(before.t), before).policy)[0]
    moved = distance(after, known.equilibrium) - there
    what = f"one step moves it away from the equilibrium, {there:.2g} from which it was: the distance"
    return Measured(what, moved, claims.within + claims.tolerance)


def _convergence(claims: Claims[Pi], known: Known) -> Measured | None:
    if claims.fixed_point is None or claims.within is None:
        return None
    played = claims.play(known.game, claims.rounds)
    arena, last = played.arena, played.probs[claims.rounds]
    known = _placed(claims, known, arena)
    moved = distance(last, played.probs[claims.rounds - 1])
    far = distance(last, known.equilibrium)
    tau = 0.0 if claims.fixed_point == "nash" else claims.tau
    gap = exploitability(known.game, last, tau, regulariser=regulariser_of(arena))
    what = (
        f"the distance to the equilibrium after {claims.rounds} rounds (the last moved it by {moved:.2g}; "
        f"true exploitability {float(gap):.2g})"
    )
    return Measured(what, far, claims.within, SETTLED if moved < 1e-6 * far else MOVING)


def _contraction(claims: Claims[Pi], known: Known) -> Measured | None:
    if claims.fixed_point is None or claims.contracts is None:
        return None
    arena = claims.arena(known.game)
    target, regulariser = _placed(claims, known, arena).equilibrium, regulariser_of(arena)
    base = np.where(known.game.support, known.game.reference, 1.0)
    away = [
        float(regulariser.divergence(target, p, base).max())
        for p in claims.policies(known.game, claims.rounds)
    ]
    blur = claims.tolerance * 2**0.5  # KL >= 2 TV^2: the KL of a policy that is off by the tolerance
    factors = [
        max(after**0.5 - blur, 0.0) ** 2 / before
        for before, after in itertools.pairwise(away)
        if before > 1e-10
    ]
    return Measured(
        f"the factor on {regulariser.name}(equilibrium || policy) of the worst round",
        max(factors, default=0.0),
        claims.contracts + 1e-4,
    )


ON_KNOWN_GAMES = (
    Property("distributions", _distributions, "A policy must be normalised after every round."),
    Property(
        "rounds",
        _rounds,
        "Resuming from a state must give the same result as not stopping: keep all memory in the state.",
    ),
    Property(
        "masking",
        _masking,
        "A response with reference probability 0 is outside the game and must stay at 0.",
    ),
    Property(
        "irrelevance",
        _irrelevance,
        "A response outside the game must have no influence: does a sum or a maximum include it?",
    ),
    Property(
        "symmetry", _symmetry, "The order of the responses must not matter: does something use an index?"
    ),
    Property("prompts", _prompts, "Prompts are separate games: does something sum or normalise over them?"),
    Property(
        "purity",
        _purity,
        "step must be a function of (arena, state): a counter or random generator is hidden somewhere.",
    ),
    Property("seeds", _seeds, "All randomness must come from the arena, whose seed fixes it."),
    Property(
        "runs",
        _runs,
        "The bits of a run must not depend on how many others are computed beside it.",
    ),
    Property(
        "fixed_point",
        _fixed_point,
        "It leaves the equilibrium it claims to find: a wrong tau or prior, or a step from the wrong policy.",
    ),
    Property("convergence", _convergence, "It does not converge to the fixed point that it claims."),
    Property(
        "contraction",
        _contraction,
        "It contracts more slowly than claimed: is the step too large, or not the theorem's?",
    ),
)
ON_EXTREME_GAMES = (
    Property(
        "extremes",
        _extremes,
        "Sure preferences and tau near 0 must not give NaN: use log-probabilities and subtract the largest.",
    ),
)
