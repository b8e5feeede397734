"""A bound is drawn only over the quantity that it bounds."""

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
