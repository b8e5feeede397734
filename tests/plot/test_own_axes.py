"""Axes of one's own, the look of figures, names as mathematics, and figures that show themselves."""

import sys
import types

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import pgames as pg
from pgames import plot
from pgames.curves import Curve
from pgames.plot.look import look
from pgames.plot.style import titled

METRIC = "exploitability (tau = 0)"


def curves(names=("A", "B"), metric=METRIC):
    rounds, rows = np.array([1, 10, 100]), np.array([[1.0, 0.1, 0.01], [2.0, 0.3, 0.02]])
    return {name: Curve(name, rounds, {metric: rows * (i + 1)}) for i, name in enumerate(names)}


REGRET = curves(metric="regret")
PATH = np.eye(3)
DRAWN = {
    "convergence": (1, lambda **to: plot.convergence(curves(), title="mine", **to)),
    "compare": (1, lambda **to: plot.compare(REGRET, title="mine", **to)),
    "curve": (1, lambda **to: curves()["A"].plot(title="mine", **to)),
    "regret": (1, lambda **to: REGRET["A"].plot(title="mine", **to)),
    "heatmap": (1, lambda **to: plot.heatmap(pg.games.dice(), cycles=[(0, 1, 2)], title="mine", **to)),
    "prompts": (1, lambda **to: plot.prompts([[0.5, 0.5]], ["a", "b"], ["x"], title="mine", **to)),
    "ratings": (1, lambda **to: plot.ratings({"r": plot.Bars([1.0, 2.0])}, ["a", "b"], title="mine", **to)),
    "two ratings": (
        2,
        lambda **to: plot.ratings(dict.fromkeys("rs", plot.Bars([1.0, 2.0])), ["a", "b"], title="mine", **to),
    ),
    "simplex": (1, lambda **to: plot.simplex(PATH, [0.2, 0.3, 0.5], title="mine", **to)),
    "two paths": (2, lambda **to: plot.simplex({"a": PATH, "b": PATH}, title="mine", **to)),
}


@pytest.fixture(autouse=True)
def default_look():
    with pg.use_style():
        yield


@pytest.mark.parametrize("name", DRAWN)
def test_every_plot_draws_into_axes_of_ones_own(name):
    count, draw = DRAWN[name]
    figure = Figure(figsize=(5, 3))
    panels = figure.subplots(1, count + 1)
    given = panels[0] if count == 1 else panels[:count]
    assert draw(ax=given) is figure
    assert all(axes.has_data() or axes.images for axes in panels[:count])
    assert not panels[-1].has_data() and not figure.legends and figure._suptitle is None
    assert "mine" in panels[0].get_title("left") + panels[0].get_title()
    assert list(figure.get_size_inches()) == [5, 3]
    with matplotlib.rc_context({"font.size": 21}):  # the style of the axes is the caller's
        axes = Figure().add_subplot()
        if name in ("convergence", "compare"):
            draw(ax=axes)
            assert axes.xaxis.label.get_fontsize() == 21


def test_what_is_no_axes_is_refused():
    for wrong in (Figure(), "ax", 3):
        with pytest.raises(TypeError, match="ax must be the Axes of a matplotlib figure"):
            plot.convergence(curves(), ax=wrong)
    with pytest.raises(TypeError, match="ax must be 2 Axes, one for each panel, got 1"):
        DRAWN["two paths"][1](ax=Figure().add_subplot())


@pytest.mark.parametrize("name", DRAWN)
def test_a_column_is_3_3_inches_of_readable_text(name):
    _, draw = DRAWN[name]
    wide = draw().get_size_inches()[0]
    with pg.use_style(width="column"):
        figure = draw()
    assert figure.get_size_inches()[0] == 3.3 != wide
    figure.draw_without_rendering()
    texts = [text.get_fontsize() for axes in figure.axes for text in axes.get_xticklabels()]
    assert all(5.5 <= size <= 8 for size in texts)
    assert draw().get_size_inches()[0] == wide  # the look of before


@pytest.mark.parametrize("draw", [plot.convergence, plot.compare])
def test_the_legend_leaves_the_axes_most_of_a_column(draw):
    names = ["EGPO", "INPO at a step above its bound", "MMD(tau=0.1, eta=0.5)", "NashMD", "COMAL, every 50"]
    metric = "regret" if draw is plot.compare else METRIC
    with pg.use_style(width="column"):
        figure = draw(curves(names, metric))
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    assert box.width > 0.75 * figure.bbox.width and box.height > 0.5 * figure.bbox.height
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert extent.x0 >= 0 and extent.x1 <= figure.bbox.width and extent.y1 < box.y0


def test_legend_bands_colours_and_font_can_be_chosen():
    with pg.use_style(legend=False, bands=False, colours=["black", "#ff0000"], font=12):
        figure = plot.convergence(curves())
    axes = figure.axes[0]
    assert not figure.legends and axes.get_legend() is None and len(axes.collections) == 0
    assert [line.get_color() for line in axes.lines] == ["black", "#ff0000"]
    assert axes.xaxis.label.get_fontsize() == 12
    pg.use_style(width=5)  # until it is chosen again
    assert plot.convergence(curves()).get_size_inches()[0] == 5 and look().font == 8
    pg.use_style()
    assert len(plot.convergence(curves()).axes[0].collections) == 2 and look().width is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": "page"}, "width must be 'column', 'text' or a number of inches, got 'page'"),
        ({"width": 0}, "width must be 1 to 50 inches"),
        ({"font": "8"}, "font must be a size"),
        ({"colours": []}, "at least one colour"),
        ({"colours": ["blau"]}, "got 'blau'"),
    ],
)
def test_a_look_that_is_none_is_refused_and_changes_nothing(wrong, says):
    before = look()
    with pytest.raises(ValueError, match=says):
        pg.use_style(**wrong)
    assert look() is before


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (r"$\sqrt{T}$", r"$\sqrt{T}$"),
        (r"INPO, $\tau = 0.1$ and $\eta$", r"INPO, $\tau = 0.1$ and $\eta$"),
        ("from $5 to $10", r"from \$5 to \$10"),
        ("US$", r"US\$"),
        (r"$\frac{$", r"\$\frac{\$"),
        ("$a$b$c", r"$a$b\$c"),
        ("$T$ for $5", r"$T$ for \$5"),
    ],
)
def test_names_in_code_are_mathematics_where_they_can_be(name, shown):
    assert titled(name) == shown
    bound = pg.bounds.Bound(name, np.sqrt, "exploitability", "sketch", "me")
    figure = plot.convergence(curves([name]), bound=bound)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [shown, f"{shown} (sketch)"]
    assert plot.convergence(curves(["A"], name)).axes[0].get_ylabel() == shown
    assert plot.simplex({name: PATH}).axes[0].get_title() == shown
    assert plot.ratings({name: plot.Bars([1.0])}, ["a"]).axes[0].get_title("left") == shown
    plot.figure_bytes(figure, "png")


def test_names_of_data_are_literal_everywhere():
    game = pg.PreferenceGame([[0.5, 1], [0, 0.5]], labels=["$x$", "$y$"])
    ticks = plot.heatmap(game).axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == [r"\$x\$", r"\$y\$"]
    ticks = plot.ratings({"r": plot.Bars([2.0, 1.0])}, game.labels).axes[0].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [r"\$x\$", r"\$y\$"]


def test_a_notebook_draws_a_figure_that_a_cell_returns():
    figure = curves()["A"].plot()
    assert figure._repr_png_()[:4] == b"\x89PNG"


def test_show_draws_in_a_notebook(monkeypatch):
    shown = []
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = shown.append
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    figure = curves()["A"].plot()
    figure.show()
    assert shown == [figure]


def test_show_without_a_screen_says_how_to_write_the_figure():
    figure = curves()["A"].plot()
    with matplotlib.rc_context({"backend": "agg"}):
        with pytest.warns(UserWarning, match=r"no window .*pgames.plot.save_figure\(figure"):
            figure.show()
        figure.show(warn=False)


def test_show_opens_a_window_where_there_is_one(monkeypatch):
    import matplotlib.pyplot as plt
    from matplotlib._pylab_helpers import Gcf
    from matplotlib.backend_bases import FigureCanvasBase

    class Canvas(FigureCanvasBase):
        required_interactive_framework = "qt"

    opened = []
    monkeypatch.setattr(
        "pgames.plot.figure.backend_registry.load_backend_module",
        lambda name: types.SimpleNamespace(FigureCanvas=Canvas),
    )
    monkeypatch.setattr(plt, "show", lambda: opened.extend(m.canvas.figure for m in Gcf.figs.values()))
    figure = curves()["A"].plot()
    figure.show()
    assert opened == [figure]
    Gcf.destroy_all()
