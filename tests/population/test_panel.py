"""Members that judge each other: verdicts by oneself, by the members outside a pair, and by trusted ones."""

import numpy as np
import pytest

import pgames as pg
from pgames.arena import SelfPreferring
from pgames.numerics import sigmoid
from pgames.population import Anchors, FacingEach, PanelLeague, outside, panel_agreement

GAME = pg.games.cyclic(5, 0.7)
PAIRS = np.array([(0, i, j) for i in range(5) for j in range(i)])
SIX = Anchors.of_rule(GAME, PAIRS[np.random.default_rng(0).choice(10, 6, replace=False)])
TAU, ETA = 0.1, 0.5


def starts(arena, size):
    """Softmax of standard normals, keyed by the run: a list of policies."""
    logits = np.stack([np.random.default_rng(s).standard_normal((size, 1, 5)) for s in range(arena.runs)], 1)
    weights = np.exp(logits)
    return [arena.policy(w) for w in weights / weights.sum(axis=-1, keepdims=True)]


def play(biases, verdict, anchors=None, rounds=300, runs=10):
    arena = pg.TableArena(GAME, runs=runs)
    league = PanelLeague(pg.INPO(TAU, ETA), biases, verdict, anchors)
    state = league.begin(arena, starts(arena, len(biases)))
    for _ in range(rounds):
        state = league.step(arena.at(state.t), state)
    return arena, state


def gaps(biases, verdict, anchors=None, rounds=300):
    """(mean duality gap of the members, duality gap of their mean), over 10 seeds."""
    arena, state = play(biases, verdict, anchors, rounds)
    members = np.mean([2 * arena.exploitability(one.policy) for one in state.memory])
    return members, np.mean(2 * arena.exploitability(state.policy))


def biased(n, strong=1.0):
    return (strong,) * n + (0.1,) * (6 - n)


def by_hand(biases, verdict, anchors, rounds, seed):
    """An independent NumPy form, one seed: probabilities float64[K, 5] after some rounds."""
    K, P = len(biases), GAME.P[0]
    odds = np.log(P / (1 - P))
    logs = np.random.default_rng(seed).standard_normal((K, 1, 5))[:, 0]
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    for _ in range(rounds):
        q = np.exp(logs)
        said = [sigmoid(odds + b * (row[:, None] - row[None])) for b, row in zip(biases, logs, strict=True)]
        trust = np.ones(K)
        if anchors:
            right = [sum((s[y, z] > 0.5) == (P[y, z] > 0.5) for y, z in anchors) for s in said]
            trust = np.array([(c + 1) / (len(anchors) - c + 1) for c in right])
        fresh = []
        for i in range(K):
            won = np.zeros(5)
            for j in set(range(K)) - {i}:
                by = [i] if verdict == "oneself" else [k for k in range(K) if k not in (i, j)]
                won += sum(trust[k] * said[k] for k in by) / trust[by].sum() @ q[j] / (K - 1)
            row = (1 - ETA * TAU) * logs[i] + ETA * TAU * np.log(0.2) + ETA * won
            fresh.append(row - np.log(np.exp(row).sum()))
        logs = np.array(fresh)
    return np.exp(logs)


@pytest.mark.parametrize(
    ("verdict", "anchors"), [("oneself", None), ("outside", None), ("outside", SIX)], ids=str
)
def test_a_league_judged_by_its_members_against_numpy(verdict, anchors):
    arena, state = play(biased(3), verdict, anchors, rounds=25, runs=3)
    pairs = None if anchors is None else list(zip(anchors.first, anchors.second, strict=True))
    for seed in range(3):
        expected = by_hand(biased(3), verdict, pairs, 25, seed)
        got = np.stack([arena.probs(one.policy)[seed, 0] for one in state.memory])
        np.testing.assert_allclose(got, expected, atol=1e-12)
    np.testing.assert_allclose(arena.probs(state.policy)[2, 0], expected.mean(axis=0), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("biases", "verdict", "anchors", "members", "mean", "tolerance"),
    [
        ((0.3,) * 6, "oneself", None, 0.0, 0.0, 0.002),
        (biased(1), "oneself", None, 0.12, 0.05, 0.02),
        (biased(2), "oneself", None, 0.16, 0.04, 0.02),
        (biased(3), "oneself", None, 0.21, 0.06, 0.025),
        (biased(6), "oneself", None, 0.35, 0.10, 0.025),
        ((0.3,) * 6, "outside", None, 0.0, 0.0, 0.002),
        (biased(1), "outside", None, 0.0001, 0.0001, 0.0001),
        (biased(2), "outside", None, 0.005, 0.005, 0.002),
        (biased(3), "outside", None, 0.18, 0.18, 0.03),
        (biased(6), "outside", None, 0.39, 0.39, 0.01),
        ((0.3,) * 6, "outside", SIX, 0.0, 0.0, 0.002),
        (biased(1), "outside", SIX, 0.0, 0.0, 0.0002),
        (biased(2), "outside", SIX, 0.005, 0.005, 0.002),
        (biased(3), "outside", SIX, 0.11, 0.11, 0.02),
        (biased(6), "outside", SIX, 0.39, 0.39, 0.01),
    ],
)
def test_each_remedy_and_where_it_fails(biases, verdict, anchors, members, mean, tolerance):
    """The table of the design: 6 members, 300 rounds, 10 seeds; gap of the members and of their mean."""
    found = gaps(biases, verdict, anchors)
    assert found == pytest.approx((members, mean), abs=tolerance)


@pytest.mark.slow
def test_grounding_repairs_what_no_panel_can():
    """Fair members outside every pair (a rule) against a drift that all others share."""
    arena, state = play((1.0,) * 6, "outside")
    drift = 2 * arena.exploitability(state.policy)
    rule, solver = SelfPreferring(arena.reference, 0.0), pg.INPO(TAU, ETA)
    members = [solver.init(arena)._replace(policy=policy) for policy in starts(arena, 6)]
    for _ in range(300):
        view = arena.judged_by([rule])
        members = [
            solver.step(
                FacingEach([(1 / 5, view, other.policy) for other in members if other is not one]), one
            )
            for one in members
        ]
    grounded = np.mean([2 * arena.exploitability(one.policy) for one in members])
    assert drift.min() > 0.3 and grounded < 1e-3


def test_a_common_drift_is_as_bad_in_the_mean_as_in_each_and_worse_than_judging_oneself():
    everybody = (1.0,) * 4
    arena, out = play(everybody, "outside", rounds=120, runs=2)
    apart = [2 * arena.exploitability(one.policy) for one in out.memory]
    np.testing.assert_allclose(2 * arena.exploitability(out.policy), np.mean(apart, axis=0), atol=1e-6)
    own = play(everybody, "oneself", rounds=120, runs=2)[1]
    assert (2 * arena.exploitability(own.policy) < 2 * arena.exploitability(out.policy) - 0.1).all()


def test_several_opponents_are_met_by_their_shares():
    arena = pg.TableArena(GAME, runs=2)
    me, one, two = starts(arena, 3)
    views = [arena.judged_by([SelfPreferring(me, b)]) for b in (0.0, 1.0)]
    each = FacingEach([(0.25, views[0], one), (0.75, views[1], two)])
    rates = (
        0.25 * views[0].preferences @ np.exp(one)[..., None]
        + 0.75 * views[1].preferences @ np.exp(two)[..., None]
    )
    expected = arena.tilt(me, rates[..., 0], 0.8)
    np.testing.assert_allclose(each.mirror_step(me, me, 0.8), expected, atol=1e-12)
    won = (np.exp(me) * rates[..., 0]).sum(axis=-1)[:, 0]
    np.testing.assert_allclose(each.at(3).win_rate(me, me), won, atol=1e-12)
    moved = each.anchored(one)
    assert moved.reference is one and each.reference is arena.reference
    solver = pg.INPO(TAU, ETA)
    np.testing.assert_allclose(
        solver.step(each, solver.init(arena)._replace(policy=me)).policy,
        each.mirror_step(each.geometric_mixture((0.95, me), (0.05, arena.reference)), me, ETA),
    )
    with pytest.raises(ValueError, match="best response to several"):
        each.mirror_step(me, me, np.inf)
    with pytest.raises(ValueError, match="at least one opponent"):
        FacingEach([])


def test_the_panel_is_known_by_its_anchors():
    arena = pg.TableArena(GAME, runs=2)
    drifted = arena.policy([0.96, 0.01, 0.01, 0.01, 0.01])
    judges = [SelfPreferring(drifted, b) for b in (0.0, 1.0)]
    everything = Anchors.of_rule(GAME, PAIRS)
    found = panel_agreement(arena, judges, everything)
    assert found.right.shape == (2, 2) and (found.right[:, 0] == 1).all()
    assert (found.right[:, 1] == 0.8).all()  # response 0 is now preferred to the two that beat it
    np.testing.assert_allclose(found.weights, [[11, 9 / 3]] * 2)


def test_who_may_judge():
    assert outside(6, 4, 1) == (0, 2, 3, 5)
    with pytest.raises(ValueError, match=r"no member is outside the pair \(0, 1\) of a population of 2"):
        outside(2, 0, 1)
    with pytest.raises(ValueError, match="two of 3 members, numbered from 0, got 0 and 3"):
        outside(3, 0, 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (((1.0, 1.0), "outside"), "no member is outside"),
        (((1.0,), "oneself"), "at least 2 members"),
        (((1.0, np.inf, 0.0), "outside"), "biases must be finite"),
        (((1.0, 1.0, 0.0), "others"), "verdict must be one of oneself, outside"),
        (((1.0, 1.0, 0.0), "oneself", SIX), "a verdict by oneself has one"),
    ],
)
def test_what_is_no_league_of_judges_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        PanelLeague(pg.INPO(TAU, ETA), *arguments)


def test_a_league_of_judges_starts_as_a_chain_or_from_given_policies():
    arena = pg.TableArena(GAME.with_reference([0.4, 0.3, 0.1, 0.1, 0.1]))
    league = PanelLeague(pg.INPO(TAU, ETA), (0.2,) * 3)
    state = league.init(arena)
    assert [one.t for one in state.memory] == [0, 1, 2]
    after = pg.solve(league, arena, 3)
    assert after.t == 3 and np.isfinite(arena.exploitability(after.policy)).all()
    with pytest.raises(ValueError, match="3 members, got 2 policies"):
        league.begin(arena, [arena.reference] * 2)
    with pytest.raises(TypeError, match="judged_by"):
        league.init(pg.DuelArena(GAME))  # pyright: ignore[reportArgumentType]
