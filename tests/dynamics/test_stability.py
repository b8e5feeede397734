"""Spectra of rounds against closed forms, and the endings of runs."""

import numpy as np
import pytest

import pgames as pg
from pgames.bounds.stability import inpo_stable_step, rotation
from pgames.regularisers import L2

COMAL = pg.games.comal3()


class Counting(pg.SPPO):
    """A solver whose memory holds scores."""

    def __init__(self):
        super().__init__(0.1)

    def init(self, arena):
        return pg.State(0, arena.reference, arena.rates(arena.reference))


@pytest.mark.parametrize(("solver", "radius"), [(pg.INPO(0.1, 0.5), 0.956), (pg.EGPO(0.1, 0.5), 0.944)])
def test_the_published_radii_of_comal3_at_tau_01_and_eta_05(solver, radius):
    assert pg.stability(solver, COMAL, rounds=0).radius == pytest.approx(radius, abs=5e-4)


@pytest.mark.parametrize("game", [COMAL, pg.games.cyclic(5, p=0.9), pg.games.biased_rps()], ids=repr)
@pytest.mark.parametrize(("tau", "eta"), [(0.1, 0.5), (0.02, 1.5), (0.3, 0.1)])
def test_spectra_are_those_of_the_linearised_rounds(game, tau, eta):
    """With M = A (diag pi - pi pi'), a mode i w of M is multiplied by the polynomials below."""
    w, keep = rotation(game, tau), 1 - eta * tau
    forms = {
        pg.INPO(tau, eta): keep + 1j * eta * w,
        pg.EGPO(tau, eta): keep + 1j * eta * w * (keep + 1j * eta * w),
        pg.MMD(tau, eta): 1 + (1j * w - tau) * eta / (1 + eta * tau),
    }
    for solver, factor in forms.items():
        found = pg.stability(solver, game, rounds=0)
        nearest = np.abs(found.eigenvalues - factor).min()
        assert nearest < 1e-7, solver
        assert found.distance < 1e-12
        if np.abs(factor) > keep:
            assert found.radius == pytest.approx(np.abs(factor), abs=1e-7)


def test_the_threshold_of_inpo_is_where_its_radius_passes_one():
    step = inpo_stable_step(COMAL, 0.05)
    assert pg.stability(pg.INPO(0.05, 0.98 * step), COMAL, rounds=0).stable is True
    assert pg.stability(pg.INPO(0.05, 1.02 * step), COMAL, rounds=0).stable is False
    assert pg.stability(pg.INPO(0.05, step), COMAL, rounds=0).radius == pytest.approx(1, abs=1e-8)


def test_the_radius_is_the_factor_by_which_a_run_approaches():
    for solver in (pg.INPO(0.1, 0.5), pg.ONPO(0.1, 0.5), pg.MNPO(0.1, 0.3), pg.NashEMA(0.3, 0.5, decay=0.3)):
        found = pg.stability(solver, COMAL, rounds=0)
        arena = pg.TableArena(COMAL)
        gap = [np.abs(arena.probs(s.policy)[0] - found.policy).sum() for s in pg.iterate(solver, arena, 420)]
        # over many rounds of rotation, the peaks fall by the radius
        early, late = max(gap[80:200]), max(gap[200:320])
        assert (late / early) ** (1 / 120) == pytest.approx(found.radius, abs=4e-3), solver


def test_a_regulariser_changes_the_spectrum_and_a_run_agrees():
    found = pg.stability(pg.INPO(0.1, 0.2), COMAL, regulariser=L2())
    assert found.distance < 1e-12
    assert found.tail is not None
    assert found.tail.ending == "point"
    # L2: a round is (1 - eta tau) x + eta A x on the simplex
    A = COMAL.skew[0]
    centre = np.eye(3) - 1 / 3
    expected = np.linalg.eigvals(0.98 * centre + 0.2 * centre @ A @ centre)
    assert found.radius == pytest.approx(np.abs(expected).max(), abs=1e-6)


def test_a_response_outside_the_support_has_its_own_multiplier():
    """SPPO on a ranking: the loser's probability is multiplied by exp(-eta w) a round."""
    game = pg.games.duel(0.8)
    found = pg.stability(pg.SPPO(0.5), game, rounds=0)
    assert found.eigenvalues == pytest.approx([np.exp(-0.5 * 0.3)], rel=1e-6)


def test_constant_nash_md_has_a_fixed_point_off_the_nash():
    found = pg.stability(pg.NashMD(0.1, 0.5), COMAL, rounds=0)
    mu = pg.nash(COMAL, 0.1 / 0.95).policy
    pi = np.exp((np.log(mu) - 0.05 * np.log(1 / 3)) / 0.95)
    assert found.policy == pytest.approx(pi / pi.sum(), abs=1e-9)
    assert found.distance > 1e-3


# -- endings ---------------------------------------------------------------------------------------------


def test_above_the_threshold_a_run_ends_in_a_limit_cycle_and_below_at_the_point():
    step = inpo_stable_step(COMAL, 0.05)
    above = pg.stability(pg.INPO(0.05, 1.15 * step), COMAL, rounds=6000)
    below = pg.stability(pg.INPO(0.05, 0.8 * step), COMAL, rounds=6000)
    assert (below.tail.ending, above.tail.ending) == ("point", "cycle")
    assert above.tail.amplitude > 0.05
    assert above.tail.period == pytest.approx(above.period, rel=0.2)  # a small cycle turns as the mode does


def test_the_period_of_a_cycle_is_the_time_to_return():
    solver = pg.INPO(0.01, 2.0)
    found = pg.stability(solver, COMAL, rounds=4000)
    arena = pg.TableArena(COMAL)
    path = np.array([arena.probs(s.policy)[0, 0] for s in pg.iterate(solver, arena, 4000)])[2000:]
    far = [np.abs(path[lag:] - path[:-lag]).sum(axis=1).mean() for lag in range(1, 60)]
    assert abs(np.argmin(far[9:45]) + 10 - found.tail.period) < 1.5


def test_multiplicative_weights_are_no_limit_cycle():
    found = pg.stability(pg.SPPO(1.0), COMAL, rounds=4000)
    assert found.stable is False
    assert found.tail.ending in ("boundary", "moving")


def test_a_spectrum_is_drawn_on_given_axes():
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure()
    ax = figure.subplots()
    found = pg.stability(pg.INPO(0.1, 0.5), COMAL, rounds=0)
    assert found.plot(ax=ax) is figure
    assert "stable" in repr(found)


@pytest.mark.parametrize(
    ("solver", "error", "said"),
    [
        (pg.NashMD(0.1), ValueError, "changes with the round"),
        (pg.COMAL(0.1, 0.5, every=40), ValueError, "changes with the round"),
        (pg.Average(pg.INPO(0.1, 0.5)), ValueError, "changes with the round"),
        (Counting(), TypeError, "more than policies"),
    ],
)
def test_what_has_no_spectrum_is_refused(solver, error, said):
    with pytest.raises(error, match=said):
        pg.stability(solver, COMAL, rounds=10)


def test_bad_arguments_are_named():
    for few in (1, 2, 3):  # nothing can be said of so few rounds
        assert pg.stability(pg.EGPO(0.1, 0.5), pg.games.comal3(), rounds=few).tail.ending == "moving"
    with pytest.raises(ValueError, match="rounds must be at least 0"):
        pg.stability(pg.INPO(0.1, 0.5), COMAL, rounds=-1)
    with pytest.raises(ValueError, match="coordinates, more than 1500"):
        pg.stability(
            pg.INPO(0.1, 0.5), pg.games.stack([pg.games.random_skew(100, seed=s) for s in range(16)])
        )
