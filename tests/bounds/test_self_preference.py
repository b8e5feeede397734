"""Self-preference is negative regularisation: b P (1 - P) is taken from tau."""

import numpy as np
import pytest

import pgames as pg
from pgames import bounds
from pgames.arena import SelfPreferring
from pgames.numerics import sigmoid

GAME, TAU = pg.games.cyclic(5, 0.7), 0.1


def judged_by_itself(solver, arena, bias, rounds, start):
    """The duality gap, float64[R, S], of a policy whose only judge it is."""
    state, gaps = solver.init(arena)._replace(policy=start), []
    for _ in range(rounds):
        state = solver.step(arena.judged_by([SelfPreferring(state.policy, bias)]), state)
        gaps.append(2 * arena.exploitability(state.policy))
    return np.array(gaps)


def starts(arena, scale=1.0):
    logits = [scale * np.random.default_rng(s).standard_normal((1, 5)) for s in range(arena.runs)]
    weights = np.exp(np.stack(logits))
    return arena.policy(weights / weights.sum(axis=-1, keepdims=True))


def test_the_threshold_on_a_cycle():
    assert bounds.self_preference_threshold(GAME, TAU) == pytest.approx(0.1 / 0.21, abs=1e-12)
    assert bounds.self_preference_threshold(GAME, TAU) == pytest.approx(0.476, abs=5e-4)
    assert bounds.self_preference_threshold(pg.games.rock_paper_scissors(), TAU) == np.inf
    two = pg.games.stack([GAME, pg.games.cyclic(5, 0.9)])
    assert bounds.self_preference_growth(two) == pytest.approx(0.21)


@pytest.mark.parametrize(
    "game",
    [GAME, pg.games.cyclic(6, 0.8), pg.games.cyclic(3, 0.9), pg.games.raters()],
    ids=["5", "6", "3", "raters"],
)
def test_growth_is_the_largest_real_part_of_the_linearised_flow(game):
    """Oracle: the eigenvalues of the Jacobian of log pi' = judged win rates, by finite differences."""
    n, bias = game.responses, 0.7
    odds = np.log(game.P[0]) - np.log1p(-game.P[0])

    def field(logs):
        pi = np.exp(logs) / np.exp(logs).sum()
        return sigmoid(odds + bias * (np.log(pi)[:, None] - np.log(pi)[None, :])) @ pi

    eye, h = np.eye(n), 1e-6
    jacobian = np.stack([(field(h * e) - field(-h * e)) / (2 * h) for e in eye], axis=1)
    modes = np.linalg.eigvals(jacobian)
    assert modes.real.max() == pytest.approx(bias * bounds.self_preference_growth(game), abs=1e-8)


@pytest.mark.parametrize("bias", [0.3, 0.44, 0.47, 0.6])
@pytest.mark.parametrize("eta", [0.5, 0.1])
def test_a_small_deviation_grows_or_dies_at_the_predicted_rate(bias, eta):
    """A round multiplies a mode by |1 - eta (tau - b P (1 - P)) + i eta w|."""
    arena = pg.TableArena(GAME)
    rounds = round(200 / eta)
    gaps = judged_by_itself(pg.INPO(TAU, eta), arena, bias, rounds, starts(arena, 1e-7))[:, 0]
    left, w = TAU - 0.21 * bias, bounds.rotation(GAME, TAU)
    predicted = np.log(np.abs(1 - eta * left + 1j * eta * w))
    assert np.polyfit(np.arange(rounds // 2), np.log(gaps[: rounds // 2]), 1)[0] == pytest.approx(
        predicted, abs=0.02 * eta * w
    )


def test_the_step_moves_the_threshold_of_inpo_down():
    """At eta = .5 INPO is unstable at b = .47, below the flow's .476; at eta = .05 it is stable there."""
    growth, flow = bounds.self_preference_growth(GAME), bounds.self_preference_threshold(GAME, TAU)

    def stable(bias, eta):
        return eta < bounds.inpo_stable_step(GAME, TAU - bias * growth)

    assert stable(0.455, 0.5) and not stable(0.46, 0.5) and not stable(0.47, 0.5)
    assert stable(0.47, 0.05) and 0.47 < flow
    arena = pg.TableArena(GAME)
    for bias, eta in ((0.45, 0.5), (0.47, 0.5), (0.47, 0.05)):
        gaps = judged_by_itself(pg.INPO(TAU, eta), arena, bias, round(600 / eta), starts(arena, 0.01))[:, 0]
        block = round(51 / eta)  # a rotation
        assert (gaps[-block:].max() < gaps[:block].max()) == stable(bias, eta), (bias, eta)


@pytest.mark.slow
def test_gaps_from_random_starts_are_those_of_the_design():
    """b = .40: 0; .45: .002 and falling; .47: .18; .60: .33, INPO(.1, .5), 10 seeds."""
    arena = pg.TableArena(GAME, runs=10)
    late = {
        bias: judged_by_itself(pg.INPO(TAU, 0.5), arena, bias, 5000, starts(arena))
        for bias in (0.4, 0.45, 0.47, 0.6)
    }
    mean = {bias: gaps[-500:].mean() for bias, gaps in late.items()}
    assert mean[0.4] < 1e-6
    assert mean[0.45] < 0.004 and mean[0.45] < 0.5 * late[0.45][3500:4000].mean()
    assert mean[0.47] == pytest.approx(0.18, abs=0.03)
    assert mean[0.6] == pytest.approx(0.34, abs=0.03)


def test_without_a_uniform_equilibrium_there_is_no_threshold():
    with pytest.raises(ValueError, match="prompt 0 has no uniform equilibrium"):
        bounds.self_preference_threshold(pg.games.comal3(), TAU)
    with pytest.raises(ValueError, match="prompt 0 has no uniform equilibrium"):
        bounds.self_preference_growth(GAME.with_reference([0.6, 0.1, 0.1, 0.1, 0.1]))
    with pytest.raises(ValueError, match="tau"):
        bounds.self_preference_threshold(GAME, 0.0)
