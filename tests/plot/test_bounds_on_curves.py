"""A bound is drawn only over the quantity that it bounds."""

import re

import numpy as np
import pytest

import pgames as pg
from pgames import plot


@pytest.fixture(scope="module")
def curve():
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    metrics = [pg.metrics.Exploitability(), pg.metrics.KLToNash(0.1), pg.metrics.DualityGap()]
    return pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(game), 20, metrics)


def test_a_bound_on_kl_is_not_drawn_over_exploitability(curve):
    bound = pg.bounds.egpo(0.1, 0.5, 1.0)
    with pytest.raises(ValueError, match=r"is on kl, not on exploitability \(tau = 0\): .* 'KL to the Nash'"):
        curve.plot(bound=bound)
    with pytest.raises(ValueError, match="is on kl, not on duality gap"):
        curve.plot("duality gap (tau = 0)", bound)
    axes = curve.plot("KL to the Nash (tau = 0.1)", bound).axes[0]
    np.testing.assert_allclose(axes.get_lines()[1].get_ydata(), bound(axes.get_lines()[1].get_xdata()))


def test_a_bound_on_regret_is_drawn_over_regret_alone(curve):
    bound = pg.bounds.greedy_order(0.1, 3)
    with pytest.raises(ValueError, match="is on regret, not on exploitability"):
        curve.plot(bound=bound)
    regret = pg.simulate(pg.Greedy(0.1), pg.games.hidden_rps(0.1), 20, seeds=2)
    assert len(plot.compare(regret, bound=bound).axes[0].get_lines()) == 4  # mean, median, bound, its legend
    with pytest.raises(ValueError, match="is on regret, not on gap"):
        plot.convergence(regret, "gap", bound)


def test_runs_have_no_judgements_to_plot_against(curve):
    with pytest.raises(ValueError, match="counts no verdicts"):
        curve.plot(by="bits")
    regret = pg.simulate(pg.Greedy(0.1), pg.games.hidden_rps(0.1), 20, seeds=2)
    axes = plot.convergence(regret, "gap", by="bits").axes[0]
    np.testing.assert_array_equal(axes.get_lines()[0].get_xdata(), regret.bits)


def test_a_bound_is_drawn_over_its_own_tau_alone(curve):
    average = pg.bounds.average_iterate(0.5, [0.6, 0.3, 0.1], tau=0.1)
    with pytest.raises(ValueError, match=r"exploitability at tau = 0.1, and drawn is tau = 0: draw it over"):
        curve.plot(bound=average)
    with pytest.raises(ValueError, match=r"kl at tau = 0.2, and drawn is tau = 0.1"):
        curve.plot("KL to the Nash (tau = 0.1)", pg.bounds.egpo(0.2, 0.5, 1.0))
    own = pg.bounds.Bound("mine", lambda T: 1 / T, "exploitability", "sketch", "me")
    assert len(curve.plot(bound=[pg.bounds.average_iterate(0.5, [0.6, 0.3, 0.1]), own]).axes[0].lines) == 3
    regret = pg.simulate(pg.Greedy(0.1), pg.games.hidden_rps(0.1), 20, seeds=2)
    with pytest.raises(ValueError, match=r"regret at tau = 0.05, and drawn is tau = 0.1"):
        plot.compare(regret, bound=pg.bounds.greedy_order(0.05, 3))
    two = [regret, pg.simulate(pg.Greedy(0.05), pg.games.hidden_rps(0.05), 20, seeds=2)]
    plot.compare(two, bound=pg.bounds.greedy_order(0.05, 3))


@pytest.mark.parametrize(
    ("field", "value"),
    [("quantity", "gap"), ("status", "conjecture"), ("side", "both"), ("tau", -1.0), ("value", 3)],
)
def test_a_bound_of_unknown_kind_is_refused_when_it_is_made(field, value):
    given = {"name": "mine", "value": np.sqrt, "quantity": "kl", "status": "proved", "source": "me"}
    with pytest.raises(ValueError, match=f"{field} of a bound must be"):
        pg.bounds.Bound(**{**given, field: value})


# -- a bound is on the game and the feedback of its theorem -----------------------------------------------

TAU = 0.1
GAME = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
PUBLISHED = {
    "kl": (pg.metrics.KLToNash(TAU), [pg.bounds.nash_md(TAU), pg.bounds.egpo(TAU, 0.2, 1.0)]),
    "exploitability": (
        pg.metrics.Exploitability(TAU),
        [pg.bounds.average_iterate(0.2, GAME.reference, TAU)],
    ),
    "unregularised": (pg.metrics.Exploitability(), [pg.bounds.average_iterate(0.2, GAME.reference)]),
}


def played(metric, **options):
    return pg.run(pg.EGPO(TAU, 0.2), pg.TableArena(GAME, **options), 5, [metric])


@pytest.mark.parametrize("kind", PUBLISHED)
@pytest.mark.parametrize("regulariser", [pg.regularisers.L2(), pg.regularisers.ReverseKL(kl=0.5)], ids=repr)
def test_a_bound_is_refused_on_a_game_of_another_regulariser(kind, regulariser, tmp_path):
    metric, bounds = PUBLISHED[kind]
    curve = played(metric, regulariser=regulariser)
    curve.save(tmp_path / "curve.npz")
    for one in (curve, curve.only(metric.name), pg.Curve.load(tmp_path / "curve.npz")):
        assert one.setting == ("TableArena", regulariser.name, None, False)
        for bound in bounds:
            said = "is on games regularised by KL, and .* played one regularised by " + re.escape(
                regulariser.name
            )
            with pytest.raises(ValueError, match=said) as caught:
                one.plot(metric.name, bound)
            assert "\n" not in str(caught.value)
        with pytest.raises(ValueError, match="regularised by KL"):  # beside a curve for which it holds
            plot.convergence([played(metric), one], metric.name, bounds)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_bound_for_exact_win_rates_is_refused_on_samples_and_moved_references(kind, tmp_path):
    metric, bounds = PUBLISHED[kind]
    sampled = played(metric, samples=4)
    sampled.save(tmp_path / "curve.npz")
    for one in (sampled, pg.Curve.load(tmp_path / "curve.npz")):
        with pytest.raises(ValueError, match=r"is for exact win rates, .* means of 4 duels"):
            one.plot(metric.name, bounds[0])
    arena = pg.TableArena(GAME)
    moved = pg.run(pg.EGPO(TAU, 0.2), arena.anchored(arena.policy([0.2, 0.2, 0.6])), 5, [metric])
    with pytest.raises(ValueError, match="regularised to their own reference"):
        moved.plot(metric.name, bounds[0])
    duels = pg.simulate(pg.Greedy(TAU), GAME, 5, metrics=[metric])
    with pytest.raises(ValueError, match="is for exact win rates"):
        plot.convergence(duels, metric.name, bounds[0])


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_bound_is_drawn_on_the_game_of_its_theorem(kind, tmp_path):
    metric, bounds = PUBLISHED[kind]
    played(metric, runs=2).save(tmp_path / "curve.npz")
    curve = pg.Curve.load(tmp_path / "curve.npz")
    assert curve.setting == ("TableArena", "KL", None, False)
    assert len(curve.plot(metric.name, bounds).axes[0].lines) >= 1 + len(bounds)


def test_a_bound_of_ones_own_names_the_regulariser_for_which_it_holds():
    metric = pg.metrics.Exploitability(TAU)
    curve = played(metric, regulariser=pg.regularisers.L2(), samples=4)

    def bound(regulariser):
        return pg.bounds.Bound("mine", np.sqrt, "exploitability", "proved", "me", regulariser=regulariser)

    for name in ("L2", None):
        curve.plot(metric.name, bound(name))
    with pytest.raises(ValueError, match="regularised by KL, and"):
        curve.plot(metric.name, bound("KL"))
    with pytest.raises(ValueError, match="must be its name"):
        bound(pg.regularisers.L2())


class NamedKL(pg.regularisers.L2):
    name = "KL"


def test_a_regulariser_that_takes_the_name_of_kl_is_not_taken_for_it():
    metric = pg.metrics.KLToNash(TAU)
    with pytest.raises(ValueError, match=r"played one regularised by NamedKL\(\)"):
        played(metric, regulariser=NamedKL()).plot(metric.name, pg.bounds.nash_md(TAU))


def test_one_tau_per_run_is_not_the_tau_of_a_bound():
    metric = pg.metrics.Exploitability(np.array([0.1, 0.2]))
    curve = pg.run(pg.EGPO(np.array([0.1, 0.2]), 0.2), pg.TableArena(GAME, runs=2), 5, [metric])
    with pytest.raises(ValueError, match=r"at tau = 0\.1, and drawn is tau per run"):
        curve.plot(metric.name, pg.bounds.average_iterate(0.2, GAME.reference, TAU))
