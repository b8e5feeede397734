"""Figures say what the data say: lines, bands, bars, cells, frames and labels are read back."""

import numpy as np
import pytest

import pgames as pg
from pgames import plot
from pgames.curves import Curve
from pgames.plot.style import COLOURS, short

CORNERS = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])


def fake_run(name, values, rounds=(0, 1, 10, 100), metric="gap"):
    """A curve of `metric` from values float64[R, S]."""
    return Curve(name, np.array(rounds), {metric: np.array(values, dtype=float).T})


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def test_convergence_draws_the_median_and_the_quantile_band():
    values = np.array([[9.0] * 5, [1, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5], [0.01, 0.02, 0.03, 0.04, 0.05]])
    figure = plot.convergence(fake_run("A(tau=1)", values), quantiles=(0.25, 0.75))
    (axes,) = figure.axes
    line = axes.get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), [1, 10, 100])  # round 0 has no logarithm
    np.testing.assert_allclose(line.get_ydata(), [3, 0.3, 0.03])
    band = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(band[band[:, 0] == 10][:, 1].min(), 0.2)
    np.testing.assert_allclose(band[band[:, 0] == 10][:, 1].max(), 0.4)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rounds", "gap")
    assert legend(figure) == ["A(tau=1)"]


def test_one_run_has_no_band_and_zeros_are_drawn_at_the_floor():
    figure = plot.convergence(fake_run("A", [[1.0], [1e-3], [0.0], [0.0]]))
    (axes,) = figure.axes
    assert len(axes.collections) == 0
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [1e-3, 1e-17, 1e-17])
    assert any("rounding" in text.get_text() for text in axes.texts)


def test_the_bound_is_overlaid_with_its_status_in_the_legend():
    bound = pg.bounds.nash_md(0.5)
    metric = pg.metrics.KLToNash(0.5).name
    figure = plot.convergence([fake_run("A", [[1], [1], [1], [1]], metric=metric)], metric, bound)
    drawn = figure.axes[0].get_lines()[1]
    np.testing.assert_allclose(drawn.get_ydata(), 8 / (0.25 * (np.asarray(drawn.get_xdata()) + 1)))
    assert drawn.get_xdata()[0] == 1 and drawn.get_xdata()[-1] == 100
    assert legend(figure)[1].endswith("(proved)") and bound.name in legend(figure)[1]


def test_runs_of_one_name_are_told_apart_and_an_unknown_metric_is_refused():
    runs = [fake_run("A", [[1], [1], [1], [1]])] * 2
    assert legend(plot.convergence(runs)) == ["A", "A (2)"]
    with pytest.raises(ValueError, match=r"'A' did not record 'kl', only 'gap'"):
        plot.convergence(runs, "kl")
    with pytest.raises(ValueError, match="no curve to draw"):
        plot.convergence([])


def test_a_real_run_plots_itself():
    metrics = [pg.metrics.KLToNash(0.1)]
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    result = pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(game, runs=3), 50, metrics)
    figure = result.plot(bound=pg.bounds.egpo(0.1, 0.5, 1.0))
    (axes,) = figure.axes
    first = next(iter(result.values))
    assert axes.get_ylabel() == first
    np.testing.assert_allclose(
        axes.get_lines()[0].get_ydata(), np.maximum(np.median(result.values[first][:, 1:], axis=0), 1e-17)
    )


def test_simplex_draws_trajectories_start_end_and_star():
    path = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    star = np.array([1, 1, 2]) / 4
    figure = plot.simplex({"EGPO": path, "SPPO": path[::-1]}, star, ["rock", "paper", "scissors"])
    assert [axes.get_title() for axes in figure.axes] == ["EGPO", "SPPO"]
    axes = figure.axes[0]
    drawn = {tuple(np.round(line.get_xydata().ravel(), 9)) for line in axes.get_lines()}
    for expected in (path @ CORNERS, star @ CORNERS, path[0] @ CORNERS, path[-1] @ CORNERS):
        assert tuple(np.round(expected.ravel(), 9)) in drawn
    assert {text.get_text() for text in axes.texts} == {"rock", "paper", "scissors"}
    assert legend(figure) == ["start", "last round", "equilibrium"]
    assert legend(plot.simplex(path)) == ["start", "last round"]


@pytest.mark.parametrize(
    "path, message",
    [
        (np.ones((4, 2)) / 2, r"\[T, 3\]"),
        ([[0.5, 0.5, 0.5]], r"must sum to 1, got 1\.5 at \[0\]"),
        ({}, "no traj"),
    ],
)
def test_simplex_refuses_what_is_no_trajectory(path, message):
    with pytest.raises(ValueError, match=message):
        plot.simplex(path)


def test_ratings_draw_bars_from_their_baseline_with_intervals_in_one_order():
    elo = plot.Bars([1010.0, 990.0, 1030.0], [1000, 980, 1020], [1020, 1000, 1040], 1000.0)
    nash = plot.Bars([0.2, 0.0, 0.8])
    figure = plot.ratings({"Elo": elo, "Nash": nash}, ["x", "y", "z"])
    first, second = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["z", "x", "y"]
    np.testing.assert_allclose([bar.get_width() for bar in first.patches], [30, 10, -10])
    np.testing.assert_allclose([bar.get_x() for bar in first.patches], [1000] * 3)
    np.testing.assert_allclose([bar.get_width() for bar in second.patches], [0.8, 0.2, 0.0])
    segments = first.collections[0].get_segments()
    np.testing.assert_allclose(segments[0], [[1020, 0], [1040, 0]])
    assert len(second.collections) == 0  # no interval, no line
    assert first.get_ylim()[0] > first.get_ylim()[1]  # best at the top
    with pytest.raises(ValueError, match="one value for each of 2 items"):
        plot.ratings({"Elo": elo}, ["x", "y"])


def test_heatmap_shows_win_rates_in_order_and_frames_the_cycles():
    game = pg.games.dice()
    figure = plot.heatmap(game, order=[2, 0, 1], cycles=[(0, 1, 2)])
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), game.P[0][np.ix_([2, 0, 1], [2, 0, 1])])
    assert axes.images[0].get_clim() == (0, 1)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["3-5-7", "2-4-9", "1-6-8"]
    assert {text.get_text() for text in axes.texts} == {"0.50", "0.56", "0.44"}
    framed = {(round(r.get_y() + 0.5), round(r.get_x() + 0.5)) for r in axes.patches}
    assert framed == {(1, 2), (2, 0), (0, 1)}  # 0 beats 1, 1 beats 2, 2 beats 0, in the order drawn
    assert legend(figure) == ["2-4-9 > 1-6-8 > 3-5-7 > 2-4-9"]


def test_heatmap_orders_by_strength_and_averages_prompts():
    game = pg.games.stack([pg.games.duel(0.25), pg.games.duel(0.75), pg.games.duel(0.25)])
    figure = plot.heatmap(game)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["1", "0"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array()[0, 1], 1 - (0.25 + 0.75 + 0.25) / 3)


def test_prompts_leave_out_what_is_never_played():
    figure = plot.prompts([[0, 0.25, 0.75], [0, 0, 1]], ["a", "b", "c"], ["x", "y"])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["c", "b"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.75, 1], [0.25, 0]])
    with pytest.raises(ValueError, match="shape"):
        plot.prompts([[1.0]], ["a", "b"], ["x"])


@pytest.mark.parametrize(
    "name", ["$\\frac{$", "a$b$c", "línea\nnueva\t", "模型", "<b>&", "x" * 300, "\x00\x1b[31m"]
)
def test_any_name_can_be_drawn(name):
    game = pg.PreferenceGame([[0.5, 1], [0, 0.5]], labels=[name, name + "2"])
    for figure in (
        plot.heatmap(game, cycles=[(0, 1)]),
        plot.ratings({"r": plot.Bars([1.0, 2.0])}, game.labels),
    ):
        assert plot.figure_bytes(figure, "png")[:4] == b"\x89PNG"
        assert b"<script" not in plot.figure_bytes(figure, "svg")


def test_names_are_cut_to_one_line():
    assert short("a\n b") == "a b"
    assert len(short("x" * 99)) == 30 and short("x" * 99).endswith("…")
    assert short("US$ 5") == r"US\$ 5"


@pytest.mark.parametrize("kind, magic", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures_are_written_whole_and_the_same_each_time(tmp_path, kind, magic):
    path = tmp_path / "new" / f"figure.{kind}"
    for _ in range(2):
        assert plot.save_figure(plot.heatmap(pg.games.dice()), path) == path
        assert path.read_bytes()[: len(magic)] == magic
    assert path.read_bytes() == plot.figure_bytes(plot.heatmap(pg.games.dice()), kind)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_wrong_ending_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg or \.pdf, got 'gif'"):
        plot.save_figure(plot.heatmap(pg.games.dice()), tmp_path / "figure.gif")
    assert not list(tmp_path.iterdir())


def test_neighbouring_colours_differ_for_colour_blind_readers():
    """Machado's matrices (2009, severity 1) on linear light; differences in CIE Lab of at least 10."""
    from matplotlib.colors import to_rgb

    protan = [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998]
    deutan = [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881]
    tritan = [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900]
    rgb = np.array([to_rgb(colour) for colour in COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for matrix in (protan, deutan, tritan):
        seen = np.clip(linear @ np.reshape(matrix, (3, 3)).T, 0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
        f = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
        lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
        distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)[np.triu_indices(len(COLOURS), 1)]
        assert distance.min() > 10


def test_drawing_leaves_global_state_alone():
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    plot.heatmap(pg.games.dice())
    assert dict(matplotlib.rcParams) == before and plt.get_fignums() == []
