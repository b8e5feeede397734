"""What is read off regret curves, against curves whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pgames.bounds import Bound
from pgames.curves import Curve
from pgames.curves.summary import RESAMPLES, resampled_means
from pgames.games import hidden_rps
from pgames.loop import log_grid
from pgames.plot import compare, figure_bytes
from pgames.regret.growth import growth
from pgames.regret.simulate import simulate
from pgames.solvers.oracle import Greedy

ROUNDS = log_grid(100_000, 60)[1:]


def curve(regret, rounds=ROUNDS, bits=None, learner="Known()", tau=0.1) -> Curve:
    regret = np.asarray(regret, dtype=np.float64)
    bits = 2 * rounds if bits is None else np.asarray(bits)
    names = ("regret", "gap", "external", "average_gap")
    return Curve(learner, rounds, dict.fromkeys(names, regret), bits, tau)


def seeds(value, spread=0.3, S=200, seed=0) -> np.ndarray:
    """S seeds around a mean curve, each its own multiple of it; the multiples have mean 1."""
    factors = np.random.default_rng(seed).uniform(1 - spread, 1 + spread, S)
    return (factors / factors.mean())[:, None] * value


# -- over seeds ------------------------------------------------------------------------------------------


def test_summary_is_mean_median_and_quantiles() -> None:
    regret = np.random.default_rng(1).gamma(2.0, size=(101, len(ROUNDS)))
    table = curve(regret).summary()
    assert np.allclose(table.mean, regret.mean(axis=0))
    assert np.array_equal(table.median, np.sort(regret, axis=0)[50])
    assert np.array_equal(table.q10, np.sort(regret, axis=0)[10])
    assert np.array_equal(table.q90, np.sort(regret, axis=0)[90])
    assert np.array_equal(table.rounds, ROUNDS) and np.array_equal(table.bits, 2 * ROUNDS)


def test_the_band_is_scipys_bootstrap() -> None:
    regret = np.random.default_rng(2).gamma(2.0, size=(150, 3))
    table = curve(regret, rounds=np.array([1, 10, 100])).summary()
    for i in range(3):
        known = stats.bootstrap(
            (regret[:, i],), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(5)
        ).confidence_interval
        width = known.high - known.low
        assert abs(table.low[i] - known.low) < 0.1 * width and abs(table.high[i] - known.high) < 0.1 * width


def test_bands_cover_the_mean() -> None:
    """95 % intervals of 300 experiments of 60 seeds hold the truth between 90 % and 98.5 % of the time."""
    rng = np.random.default_rng(3)
    regret = rng.gamma(2.0, size=(60, 300))  # 300 independent columns, mean 2
    table = curve(regret, rounds=np.arange(1, 301)).summary()
    covered = ((table.low <= 2) & (2 <= table.high)).mean()
    assert 0.9 <= covered <= 0.985


def test_bands_are_reproducible() -> None:
    known = curve(seeds(ROUNDS**0.5))
    assert np.array_equal(known.summary().low, known.summary().low)
    assert not np.array_equal(known.summary(seed=1).low, known.summary(seed=2).low)
    assert known.late_slope() == known.late_slope()


def test_resamples_are_means_of_seeds() -> None:
    means = resampled_means(np.eye(4), 0)
    assert np.allclose(means.sum(axis=1), 1) and np.allclose(means * 4, np.round(means * 4))
    assert abs(means.mean() - 0.25) < 1e-12


def test_one_seed_has_no_interval() -> None:
    alone = curve(ROUNDS[None] ** 0.5)
    assert np.isnan(alone.summary().low).all() and np.isnan(alone.late_slope().low)
    assert alone.late_slope().slope == pytest.approx(0.5)


def test_the_tail_is_told() -> None:
    regret = np.tile(np.log(ROUNDS + 1.0), (100, 1))
    assert curve(regret).summary().tail == pytest.approx(1)
    regret[:3] *= 200  # three seeds in a hundred
    assert curve(regret).summary().tail == pytest.approx(6.97)
    assert curve(0 * regret).summary().tail == 1


# -- fits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.5, 1.0, 0.07])
def test_late_slope_of_a_power(power: float) -> None:
    slope = curve(seeds(3 * ROUNDS**power)).late_slope()
    assert slope.slope == pytest.approx(power, abs=1e-9)
    assert slope.low == pytest.approx(power) and slope.high == pytest.approx(
        power
    )  # seeds differ by a factor
    assert slope.last == 100_000 and 10_000 <= slope.first < 13_000


def test_late_slope_is_late() -> None:
    burn_in = np.minimum(ROUNDS, 3000.0) + np.maximum(ROUNDS - 3000.0, 0) ** 0.5
    assert curve(burn_in[None]).late_slope().slope < 0.07


def test_late_slope_interval_holds_the_truth() -> None:
    """Seeds with exponents around 1/2, and noise: a wrong slope is outside, the right one inside."""
    rng = np.random.default_rng(4)
    regret = seeds(ROUNDS**0.5) * np.exp(rng.normal(0, 0.2, (200, len(ROUNDS))))
    slope = curve(regret).late_slope()
    assert slope.low < 0.5 < slope.high and slope.high - slope.low < 0.1


def test_fit_log() -> None:
    fit = curve(seeds(2 + 1.06 * np.log(ROUNDS))).fit_log()
    assert (fit.a, fit.b, fit.r2) == (pytest.approx(2), pytest.approx(1.06), pytest.approx(1))
    assert fit.low < 1.06 < fit.high and fit.first >= 1000 and fit.last == 100_000
    bent = curve(seeds(ROUNDS**0.5)).fit_log()
    assert bent.r2 < 0.95  # a square root is not taken for a logarithm


def test_fit_log_is_scipys_line() -> None:
    regret = np.random.default_rng(6).gamma(3.0, size=(20, len(ROUNDS))).cumsum(axis=1)
    fit, late = curve(regret).fit_log(from_round=50), ROUNDS >= 50
    known = stats.linregress(np.log(ROUNDS[late]), regret.mean(axis=0)[late])
    assert (fit.a, fit.b) == (pytest.approx(known.intercept), pytest.approx(known.slope))
    assert fit.r2 == pytest.approx(known.rvalue**2)


def test_growth_tells_exponential_from_power() -> None:
    taus = [1 / 20, 1 / 25, 1 / 30, 1 / 35, 1 / 40]
    shape = np.log(ROUNDS + 1)
    exponential = growth(
        {tau: curve(seeds(np.exp(0.187 / tau) * shape, seed=i)) for i, tau in enumerate(taus)}
    )
    power = growth({tau: curve(seeds(tau**-0.94 * shape, seed=i)) for i, tau in enumerate(taus)})
    assert exponential.exponential.value == pytest.approx(0.187) and exponential.exponential.r2 > 1 - 1e-12
    assert exponential.power.r2 < exponential.exponential.r2
    assert power.power.value == pytest.approx(0.94) and power.power.r2 > 1 - 1e-12
    assert power.exponential.r2 < power.power.r2
    assert exponential.exponential.low < 0.187 < exponential.exponential.high
    assert exponential.rounds == 100_000


def test_growth_compares_at_common_rounds() -> None:
    long = {tau: curve(np.exp(0.2 / tau) * ROUNDS[None]) for tau in (0.1, 0.05)}
    short = {0.04: curve(np.exp(0.2 / 0.04) * ROUNDS[None, :30], ROUNDS[:30])}
    grown = growth({**long, **short})
    assert grown.rounds == ROUNDS[29] and grown.exponential.value == pytest.approx(0.2)
    assert growth({**long, **short}, rounds=7).rounds == 7


@pytest.mark.parametrize(
    ("taus", "says"), [([0.1, 0.2], "three values of tau"), ([0.1, 0.2, 0.0], "tau above 0, got 0")]
)
def test_growth_refuses(taus: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        growth({tau: curve(ROUNDS[None]) for tau in taus})


def test_fits_refuse_what_they_cannot_fit() -> None:
    with pytest.raises(ValueError, match="three recorded rounds, the last decade has 2"):
        curve([[1.0, 2, 3]], np.array([1, 50, 100])).late_slope()
    with pytest.raises(ValueError, match="from round 200000 on has 0"):
        curve(ROUNDS[None]).fit_log(from_round=200_000)
    with pytest.raises(ValueError, match="mean regret is 0 somewhere"):
        curve(0.0 * ROUNDS[None]).late_slope()


# -- equal rounds, equal bits ----------------------------------------------------------------------------


def test_at_is_linear_between_recorded_rounds() -> None:
    known = curve([[1.0, 10, 100]], np.array([1, 10, 100]))
    assert known.at([1, 4, 55, 100]).mean.tolist() == [1, 4, 55, 100]
    assert known.at(55).bits.tolist() == [110]
    for rounds in (0, 101):
        with pytest.raises(ValueError, match="from round 1 to 100, got"):
            known.at(rounds)


def test_at_bits_is_at_equal_cost() -> None:
    cheap = curve(seeds(ROUNDS**0.5), bits=ROUNDS)
    dear = curve(seeds(ROUNDS**0.5), bits=16 * ROUNDS)
    assert np.allclose(dear.at_bits([16_000, 160_000]).mean, cheap.at([1000, 10_000]).mean)
    assert dear.at_bits(16_000).rounds.tolist() == [1000]
    assert dear.at_bits(16_000).bits.tolist() == [16_000]
    with pytest.raises(ValueError, match="16 bits in its first round and 1600000 in all, got 15 to 15"):
        dear.at_bits(15)


def test_at_bits_of_a_learner_that_stops_asking() -> None:
    explorer = curve([[1.0, 10, 20, 20]], np.array([1, 10, 100, 1000]), bits=[1, 10, 10, 10])
    assert explorer.at_bits(10).rounds.tolist() == [1000]
    assert explorer.at_bits(4).rounds.tolist() == [4]


def test_reprs_can_be_read() -> None:
    known = curve(seeds(ROUNDS**0.5))
    assert repr(known.late_slope()) == "slope 0.500 [0.500, 0.500] on rounds 11690 to 100000"
    assert repr(known.at([10, 100])).splitlines()[0].split() == list(known.summary()._fields)
    assert len(repr(known.summary()).splitlines()) == 13
    assert "R^2 = " in repr(known.fit_log()) and "b = " in repr(known.fit_log())


def test_measured_growth_of_greedy() -> None:
    """Section 5.2 of our notes: 0.187 in 1/tau; fewer rounds and seeds here, so only the neighbourhood."""
    curves = {
        tau: simulate(Greedy(tau), hidden_rps(tau), 30_000, 40, refresh=1.05, seed=1)
        for tau in (1 / 20, 1 / 25, 1 / 30, 1 / 35)
    }
    grown = growth(curves)
    assert 0.14 < grown.exponential.value < 0.24 and grown.exponential.r2 > 0.95


# -- files -----------------------------------------------------------------------------------------------


def test_saved_and_loaded(tmp_path: Path) -> None:
    known = curve(seeds(ROUNDS**0.5))
    known.save(tmp_path / "curve.npz")
    again = Curve.load(tmp_path / "curve.npz")
    assert repr(again) == repr(known) and np.array_equal(again.regret, known.regret)
    assert again.late_slope() == known.late_slope()
    whole = (tmp_path / "curve.npz").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "curve.npz").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"curve\.npz is not a saved curve, or cut short"):
            Curve.load(tmp_path / "curve.npz")
    np.savez(tmp_path / "other.npz", P=np.eye(2))
    with pytest.raises(ValueError, match=r"other\.npz is not a saved curve"):
        Curve.load(tmp_path / "other.npz")


# -- plots -----------------------------------------------------------------------------------------------

SKETCH = Bound("c sqrt(T)", lambda T: 10 * T**0.5, "regret", "sketch", "here")
PROVED = Bound("c T", lambda T: T, "regret", "proved", "here")
BELOW = Bound("c", lambda T: 0 * T + 0.5, "regret", "sketch", "here", "lower")


def words(figure) -> str:
    axes = figure.axes[0]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    note = figure._supxlabel.get_text() if figure._supxlabel else ""
    return "\n".join([*legend, axes.get_xlabel(), axes.get_ylabel(), axes.get_title(), note])


def test_a_plot_draws_mean_median_and_band() -> None:
    known = curve(seeds(ROUNDS**0.5))
    figure = known.plot(title="known")
    axes = figure.axes[0]
    solid, dashed = axes.lines[:2]
    assert np.allclose(solid.get_ydata(), known.summary().mean) and solid.get_linestyle() == "-"
    assert np.allclose(dashed.get_ydata(), known.summary().median) and dashed.get_linestyle() == "--"
    assert len(axes.collections) == 1  # the band
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert words(figure).splitlines()[:2] == ["Known()", "median"]


def test_heavy_tails_are_said_on_the_plot() -> None:
    regret = np.tile(np.log(ROUNDS + 1.0), (100, 1))
    assert "heavy" not in words(curve(regret).plot())
    regret[:3] *= 200
    assert "means are heavy-tailed here (mean / median: Known() 6.97)" in words(curve(regret).plot())


def test_bounds_say_what_they_are() -> None:
    figure = curve(seeds(ROUNDS**0.5)).plot(bound=[SKETCH, PROVED])
    assert "c sqrt(T) (sketch)" in words(figure) and "c T (proved)" in words(figure)
    sketch, proved = figure.axes[0].lines[2:4]
    assert proved.get_linestyle() == "-" and sketch.get_linestyle() != "-"
    assert "c (sketch, lower)" in words(compare(curve(seeds(ROUNDS**0.5)), bound=BELOW))
    with pytest.raises(ValueError, match="the bound 'd' is on kl, not on regret"):
        compare(curve(ROUNDS[None]), bound=Bound("d", lambda T: T, "kl", "proved", "here"))
    assert sketch.get_ydata()[0] == 10 and proved.get_ydata()[-1] == 100_000


def test_compare_by_bits() -> None:
    cheap, dear = curve(seeds(ROUNDS**0.5), bits=ROUNDS), curve(seeds(ROUNDS**0.5), bits=16 * ROUNDS)
    figure = compare({"cheap": cheap, "dear": dear}, by="bits")
    assert np.array_equal(figure.axes[0].lines[2].get_xdata(), 16 * ROUNDS)
    assert "verdicts" in words(figure)
    with pytest.raises(ValueError, match="a bound counts rounds"):
        compare(cheap, by="bits", bound=PROVED)
    with pytest.raises(ValueError, match="by must be 'rounds' or 'bits', got 'time'"):
        compare(cheap, by="time")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no curve to draw"):
        compare([])


def test_curves_of_one_learner_get_different_names() -> None:
    assert words(compare([curve(ROUNDS[None]), curve(ROUNDS[None])])).splitlines()[:2] == [
        "Known()",
        "Known() (2)",
    ]


def test_a_learner_without_regret_can_be_drawn() -> None:
    assert figure_bytes(curve(0.0 * seeds(ROUNDS)).plot(), "png")
    part = np.where(ROUNDS > 100, seeds(ROUNDS), 0.0)
    assert figure_bytes(curve(part).plot(bound=PROVED), "png")
