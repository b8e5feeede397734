"""Populations of pairs: PSRO, its anytime form and leagues play roles as they play the product game."""

from dataclasses import dataclass

import numpy as np
import pytest

import pgames as pg
from pgames.population import Hard, Latest, Nash, Uniform, mixed
from pgames.roles import named
from tests.support.roles import gap, marginals, product_game, references, table

SIZE = (6, 5)
GAMES = {
    "random": pg.MatrixRoles(table(0)),
    "references": pg.MatrixRoles(table(3), *references(3)),
    "guards": named.guards(4),
    "kicks": named.penalty_kicks(),
    "wide": pg.MatrixRoles(table(1, (3, 12))),
    "prompts": pg.PromptRoles(table(2, (4, 3))),
}


@dataclass(frozen=True)
class OfPairs:
    """A meta-solver that weighs pairs: one weight for the attacker and the defender."""

    meta: object

    def __call__(self, rates):
        return self.meta(rates)


def pairs_of(arena, count, seed=0):
    """Pairs of random strategies."""
    rng = np.random.default_rng(seed)
    inside = np.exp(arena.reference)
    made = [inside * np.exp(rng.normal(size=inside.shape)) for _ in range(count)]
    return [arena.policy(one / one.sum(axis=-1, keepdims=True)) for one in made]


@pytest.mark.parametrize("solver", [pg.PSRO(), pg.AnytimePSRO()], ids=repr)
@pytest.mark.parametrize("name", GAMES)
def test_the_population_ends_at_the_exact_pair(name, solver):
    game = GAMES[name]
    arena = pg.RoleArena(game)
    state = pg.solve(solver, arena, 40)
    p, q = (half[0] for half in arena.halves(state.policy))
    won = p @ game.success @ q if q.ndim == 1 else p @ (q * game.success).sum(axis=1)
    assert arena.exploitability(state.policy)[0] < 1e-9
    assert won == pytest.approx(pg.nash_roles(game).value, abs=1e-9)


def double_oracle(A, p0, q0, rounds):
    """Exploitabilities in NumPy, from the references; tied answers are played in proportion to them."""
    attackers, defenders, found = [p0], [q0], []
    for _ in range(rounds):
        P, Q = np.array(attackers), np.array(defenders)
        pair = pg.nash_zero_sum(P @ A @ Q.T)
        p, q = pair.row @ P, pair.column @ Q
        found.append(gap(A, p, q) / 2)
        wins, losses = A @ q, p @ A
        for members, start, best in (
            (attackers, p0, wins >= wins.max() - 1e-12),
            (defenders, q0, losses <= losses.min() + 1e-12),
        ):
            members.append(start * best / (start @ best))
    return np.array(found)


@pytest.mark.parametrize("seed", range(6))
def test_psro_is_the_double_oracle_of_two_players(seed):
    """Each role's population answers that of the other, and has weights of its own."""
    A, refs = table(seed, (8, 7)), references(seed, (8, 7))
    arena = pg.RoleArena(pg.MatrixRoles(A, *refs))
    states = [pg.PSRO().init(arena), *pg.iterate(pg.PSRO(), arena, 9)]
    gaps = [arena.exploitability(state.policy)[0] for state in states]
    np.testing.assert_allclose(gaps, double_oracle(A, *refs, 10), atol=1e-9)
    assert gaps[-1] < 1e-12 < gaps[0]


def test_as_many_calls_as_the_double_oracle_where_pairs_with_one_weight_need_twice():
    """Measured on 20 x 20: 15 calls, and 34 with one weight for the attacker and the defender of a pair."""

    def calls(meta, seed):
        arena = pg.RoleArena(pg.MatrixRoles(table(seed, (20, 20))))
        solver = pg.PSRO(meta=meta)
        state = solver.starting(arena, [arena.pair(np.eye(20)[0], np.eye(20)[0])])
        while arena.exploitability(state.policy)[0] > 1e-10:
            state = solver.step(arena, state)
        return state.t

    metas = Nash(), OfPairs(Nash())
    apart, tied = (np.median([calls(meta, seed) for seed in range(4)]) for meta in metas)
    assert apart <= 20 and tied >= 1.5 * apart


@pytest.mark.parametrize("meta", [Uniform(), Latest(), OfPairs(Nash(select="max_entropy"))], ids=repr)
def test_iterates_with_one_weight_for_a_pair_are_those_of_the_product_game(meta):
    A, refs = table(4), references(4)
    pair, product = pg.RoleArena(pg.MatrixRoles(A, *refs)), pg.TableArena(product_game(A, *refs))
    solver = pg.PSRO(meta=meta)
    for ours, theirs in zip(pg.iterate(solver, pair, 6), pg.iterate(solver, product, 6), strict=True):
        np.testing.assert_allclose(ours.memory[1].rates, theirs.memory[1].rates, atol=1e-12)
        attacker, defender = marginals(np.exp(theirs.policy[0, 0]), SIZE)
        p, q = pair.halves(ours.policy)
        np.testing.assert_allclose(p[0], attacker, atol=1e-9)
        np.testing.assert_allclose(q[0], defender, atol=1e-9)


@pytest.mark.parametrize("solver", ["league", "exploiters"])
def test_leagues_are_those_of_the_product_game(solver):
    """In which a mirror step is twice as long, for its rates are halves of those of a role."""

    def made(step):
        if solver == "league":
            return pg.League((pg.SPPO(step), pg.INPO(0.1 / step, step)), match=Hard(self_play=0.2))
        return pg.MainAndExploiters(pg.SPPO(step), every=2, limit=3)

    A, refs = table(5), references(5)
    pair, product = pg.RoleArena(pg.MatrixRoles(A, *refs)), pg.TableArena(product_game(A, *refs))
    ours = list(pg.iterate(made(0.5), pair, 12))
    theirs = list(pg.iterate(made(1.0), product, 12))
    if solver == "exploiters":
        assert len(ours[-1].memory.past) > 3
    for one, other in zip(ours, theirs, strict=True):
        met, beside = (
            state.memory.met if solver == "exploiters" else state.memory[1] for state in (one, other)
        )
        np.testing.assert_allclose(met.rates, beside.rates, atol=1e-9)


@pytest.mark.parametrize("name", GAMES)
def test_the_mixture_against_all_is_the_least_exploitable(name):
    arena = pg.RoleArena(GAMES[name], runs=2)
    members = pairs_of(arena, 5, seed=3)
    best = arena.against_all(members)
    gap = arena.exploitability(mixed(arena, best.weights, members))
    np.testing.assert_allclose(gap, best.exploitability, atol=1e-9)
    singles = np.stack([arena.exploitability(member) for member in members])
    assert (gap <= singles.min(axis=0) + 1e-9).all()
    assert best.weights.shape == (2, 2, 5)
    for weights in np.random.default_rng(0).dirichlet(np.ones(5), size=(40, 2)):
        other = mixed(arena, np.stack([weights, weights]), members)
        assert (arena.exploitability(other) >= gap - 1e-9).all()
    # the opponent holds every attacker and every defender to its value, whichever are put together
    joined = [arena.join(one, other) for one in members for other in members]
    held = arena.win_rates(joined, [best.opponent])[:, :, 0] - 0.5
    np.testing.assert_allclose(held.max(axis=1), -gap, atol=1e-9)


@pytest.mark.parametrize("name", GAMES)
def test_anytime_psro_never_rises(name):
    arena = pg.RoleArena(GAMES[name])
    gaps = [arena.exploitability(state.policy)[0] for state in pg.iterate(pg.AnytimePSRO(), arena, 25)]
    assert np.diff(gaps).max() < 1e-9


def test_win_rates_and_meetings_are_those_of_the_verb():
    arena = pg.RoleArena(GAMES["prompts"], runs=3)
    members = pairs_of(arena, 3)
    met = arena.meet(members, [[0, 1], [2, 1]])
    np.testing.assert_array_equal(met.rates[:, 0, 1], arena.win_rate(members[0], members[1]))
    assert np.isinf(met.games[:, 0, 1]).all() and np.isnan(met.rates[:, 0, 2]).all()
    rates = arena.win_rates(members, members)
    np.testing.assert_allclose(rates + np.swapaxes(rates, 1, 2), 1, atol=1e-15)
    np.testing.assert_allclose(rates[:, 1, 2], met.rates[:, 1, 2], atol=1e-15)


def test_sampled_matches_are_counted_and_keep_to_the_truth():
    arena = pg.RoleArena(GAMES["random"], runs=60, seed=2, samples=25)
    members = [np.repeat(one[:1], 60, axis=0) for one in pairs_of(arena, 2)]
    met = arena.meet(members, [[0, 1], [1, 0]])
    assert (met.games[:, 0, 1] == 100).all()  # two matches of 25 attacks each way
    assert (met.halves.games[:, 0, 3] == 50).all() and (met.halves.games[:, 0, 1] == 25).all()
    truth = pg.RoleArena(GAMES["random"], runs=60).win_rate(*members)
    assert (np.abs(met.rates[:, 0, 1] - truth) <= met.margin()[:, 0, 1] * 1.001).mean() > 0.85
    again = arena.at(1).meet(members, [[0, 1]])
    assert (again.games[:, 0, 1] == 50).all() and (again.rates != met.rates).any()
    np.testing.assert_array_equal(
        arena.win_rates(members[:1], members[1:])[:, 0, 0], arena.win_rate(*members)
    )


def test_runs_do_not_depend_on_each_other():
    for solver in (pg.PSRO(), pg.AnytimePSRO(), pg.League(pg.SPPO(1.0), 3)):
        one, three = (pg.RoleArena(GAMES["random"], runs) for runs in (1, 3))
        together, alone = (pg.solve(solver, arena, 5).policy for arena in (three, one))
        for s in range(3):
            np.testing.assert_array_equal(together[s : s + 1], alone)


def test_refusals():
    arena = pg.RoleArena(GAMES["random"])
    members = pairs_of(arena, 2)
    with pytest.raises(ValueError, match="at least one member"):
        arena.against_all([])
    with pytest.raises(ValueError, match="at least one member"):
        arena.win_rates(members, [])
    with pytest.raises(ValueError, match=r"pairs of one shape \[S, C, N\].*member 1 has shape \[1, 2, 4\]"):
        arena.meet([members[0], members[1][:, :, :4]], [[0, 1]])
    with pytest.raises(ValueError, match="members 0 to 1, got numbers 0 to 2"):
        arena.meet(members, [[0, 2]])
    with pytest.raises(ValueError, match="against_all needs both roles"):
        arena.only("attacker", members[0]).against_all(members)
