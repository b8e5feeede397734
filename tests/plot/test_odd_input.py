"""What a figure is given is drawn as it is, or refused in one line: names, gaps, orders, axes and titles."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import pgames as pg
from pgames import plot

GAME = pg.games.comal3()
NAMES = (
    "_hidden",
    "__x",
    "$x$",
    "a$b",
    r"$\frac{$",
    r"\alpha",
    "",
    "x" * 500,
    "a\nb",
    "\x1b[31m",
    "{a}",
    "%s",
)
TITLES = ("$", r"$\frac{$", r"$\sqrt{T}$", "_t", "two\nlines", "x" * 400, None, 3)


def curve(values, name="exploitability (tau = 0)", solver="EGPO"):
    table = np.atleast_2d(np.array(values, dtype=float))
    return pg.Curve(solver, np.arange(1, table.shape[1] + 1), {name: table})


def legend(figure):
    found = [*figure.legends, *(one.get_legend() for one in figure.axes if one.get_legend())]
    return [text.get_text() for one in found for text in one.get_texts()]


def drawn(figure):
    assert plot.figure_bytes(figure, "png", 40).startswith(b"\x89PNG")
    return figure


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_a_curve_stands_in_the_legend(name):
    pair = {name: curve([1, 0.5]), "other": curve([1, 0.2])}
    assert len(legend(drawn(plot.convergence(pair)))) == 2
    regret = {key: curve([1, 2], "regret") for key in pair}
    assert len(legend(drawn(plot.compare(regret)))) == 3, "two curves and the line of medians"


@pytest.mark.parametrize("first", ["_a", "$a$", r"$\frac{$", "x" * 300, "a\nb"])
def test_every_label_of_a_game_can_be_drawn(first):
    labels = [first, "_b", "c"]
    game = pg.PreferenceGame(GAME.P, labels=labels)
    assert len(legend(drawn(pg.nash(game, [1.0, 0.1]).plot()))) >= 3
    assert len(legend(drawn(plot.heatmap(game, cycles=[(0, 1, 2)])))) == 1
    drawn(plot.simplex([[0.2, 0.3, 0.5]], labels=labels))
    drawn(plot.prompts([[0.2, 0.3, 0.5]] * 2, labels, ["p$1$", "_p"]))
    drawn(plot.ratings({"$a": plot.Bars([1, 2, 3]), "_b": plot.Bars([1, 2, 3])}, labels))


def test_names_that_look_alike_in_the_legend_keep_their_curves():
    for pair in ({"x" * 60 + "A": 0.5, "x" * 60 + "B": 0.2}, {"a b": 0.5, "a  b": 0.2}, {1: 0.5, "1": 0.2}):
        figure = plot.convergence({name: curve([1, end]) for name, end in pair.items()})
        ends = {line.get_ydata()[-1] for line in figure.axes[0].get_lines()}
        assert ends == {0.5, 0.2}
        assert len(set(legend(figure))) == 2
    names = legend(plot.convergence([curve([1, 0.5])] * 3 + [curve([1, 0.5], solver="EGPO (2)")]))
    assert len(set(names)) == 4


@pytest.mark.parametrize("title", TITLES)
def test_any_title_can_be_drawn(title):
    regret = curve([1, 2], "regret")
    for figure in (
        plot.convergence(curve([1, 0.5]), title=title),
        plot.compare(regret, title=title),
        plot.heatmap(GAME, title=title),
        plot.prompts([[0.2, 0.8]], ["a", "b"], ["p"], title=title),
        plot.simplex([[0.2, 0.3, 0.5]], title=title),
        plot.ratings({"a": plot.Bars([1, 2])}, ["x", "y"], title=title),
    ):
        drawn(figure)


def test_rounds_without_a_number_are_left_out_and_said():
    nan, inf = np.nan, np.inf
    name = legend(drawn(plot.convergence(curve([[1, nan, 0.1], [1, 2, inf]]))))[0]
    assert name == "EGPO, NaN in 1 of 3, infinite in 1 of 3 rounds"
    assert legend(drawn(plot.compare(curve([1, inf, 3], "regret"))))[0] == "EGPO, infinite in 1 of 3 rounds"
    for values in ([nan, nan], [inf, inf]):
        with pytest.raises(ValueError, match="holds no finite number, so there is nothing to draw"):
            plot.convergence(curve(values))
        with pytest.raises(ValueError, match="holds no finite number"):
            plot.compare(curve(values, "regret"))


def test_a_single_round_is_seen():
    lines = plot.convergence(curve([0.3])).axes[0].get_lines()
    assert any(line.get_marker() == "o" for line in lines)
    assert plot.compare(curve([0.3], "regret")).axes[0].get_lines()[0].get_markevery() is None
    assert all(line.get_marker() == "o" for line in pg.nash(GAME, [0.5]).plot().axes[0].get_lines())


CURVES = {
    "nothing": (lambda: plot.convergence([]), ValueError, "there is no curve to draw"),
    "None": (lambda: plot.convergence(None), TypeError, "a Curve is needed, got NoneType"),
    "an array": (lambda: plot.convergence(np.ones(3)), TypeError, "a Curve is needed, got float64"),
    "text": (lambda: plot.compare("EGPO"), TypeError, "a Curve is needed, got str"),
    "policies": (
        lambda: pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(GAME), 3, [pg.metrics.Policies()]).plot(),
        ValueError,
        "needs one number per run and round",
    ),
    "quantiles the wrong way": (
        lambda: plot.convergence(curve([1, 2]), quantiles=(0.9, 0.1)),
        ValueError,
        "quantiles must be two numbers in",
    ),
    "quantiles that are none": (
        lambda: plot.convergence(curve([1, 2]), quantiles=("a", np.nan)),
        ValueError,
        "quantiles must be two numbers in",
    ),
    "by a list": (lambda: plot.compare(curve([1, 2], "regret"), by=["bits"]), ValueError, "by must be"),
    "a bound that is a function": (
        lambda: curve([1, 2]).plot(bound=lambda T: T),
        TypeError,
        "a bound is one of pgames.bounds, such as nash_md",
    ),
    "an order of names": (lambda: plot.heatmap(GAME, ["a", "b"]), ValueError, "order must be a list of num"),
    "an order beyond": (lambda: plot.heatmap(GAME, [0, 5]), ValueError, "numbers of items, 0 to 2, got 5"),
    "an order of nothing": (lambda: plot.heatmap(GAME, []), ValueError, "order must be a list of numbers"),
    "a mask for an order": (
        lambda: plot.ratings({"a": plot.Bars([1, 2])}, ["x", "y"], [True, False]),
        ValueError,
        "order must be a list of numbers",
    ),
    "a cycle of names": (lambda: plot.heatmap(GAME, cycles=["abc"]), ValueError, "a cycle must be a list of"),
    "a cycle beyond": (lambda: plot.heatmap(GAME, cycles=[(0, 1, 7)]), ValueError, "0 to 2, got 7"),
    "NaN policies": (lambda: plot.prompts([[np.nan, 1]], "ab", "p"), ValueError, "must hold probabilities"),
    "a NaN rating": (
        lambda: plot.ratings({"r": plot.Bars([1, np.nan])}, ["x", "y"]),
        ValueError,
        "rating 'r' must be finite, got nan for y",
    ),
    "half an interval": (
        lambda: plot.ratings({"r": plot.Bars([1, 2], low=[0, 1])}, ["x", "y"]),
        ValueError,
        "one end of its intervals: pass low and high, or neither",
    ),
    "an interval of another size": (
        lambda: plot.ratings({"r": plot.Bars([1, 2], [0], [3, 4])}, ["x", "y"]),
        ValueError,
        "one value for each of 2 items",
    ),
    "an equilibrium of nobody": (
        lambda: plot.simplex({"a": [[0.2, 0.3, 0.5]]}, {"b": [0.2, 0.3, 0.5]}),
        ValueError,
        "an equilibrium for 'b', and no trajectory of that name",
    ),
    "labels in a word": (lambda: plot.simplex([[0.2, 0.3, 0.5]], labels="abc"), ValueError, "three names"),
    "a dpi of 0": (
        lambda: plot.figure_bytes(plot.heatmap(GAME), "png", 0),
        ValueError,
        "dpi must be a number",
    ),
    "no figure": (lambda: plot.figure_bytes(3, "png"), TypeError, "a matplotlib Figure is needed, got int"),
    "a font of NaN": (lambda: pg.use_style(font=np.nan), ValueError, "font must be a size"),
    "a width of True": (lambda: pg.use_style(width=True), ValueError, "width must be 1 to 50 inches"),
    "a colour that is a number": (
        lambda: pg.use_style(colours=3),
        ValueError,
        "a list of colours of matplot",
    ),
    "a legend of text": (lambda: pg.use_style(legend="no"), ValueError, "legend must be True or False"),
}


@pytest.mark.parametrize("case", CURVES)
def test_what_cannot_be_drawn_is_refused_in_one_line(case):
    call, kind, said = CURVES[case]
    with pytest.raises(kind, match=said) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["pyplot", "a figure", "polar axes", "axes in space", "text"])
def test_only_straight_axes_are_drawn_in(kind):
    figure = plt.figure()
    ax = {
        "pyplot": lambda: plt,
        "a figure": lambda: figure,
        "polar axes": lambda: figure.add_subplot(projection="polar"),
        "axes in space": lambda: figure.add_subplot(projection="3d"),
        "text": lambda: "ax",
    }[kind]()
    for call in (
        lambda: plot.convergence(curve([1, 0.5]), ax=ax),
        lambda: plot.compare(curve([1, 2], "regret"), ax=ax),
        lambda: plot.heatmap(GAME, ax=ax),
        lambda: plot.simplex([[0.2, 0.3, 0.5]], ax=ax),
        lambda: plot.ratings({"a": plot.Bars([1, 2])}, ["x", "y"], ax=ax),
        lambda: pg.nash(GAME, [0.1, 1.0]).plot(ax=ax),
    ):
        with pytest.raises(TypeError, match="ax must be"):
            call()
    plt.close(figure)


def test_axes_of_a_part_of_a_figure_give_the_whole_figure():
    whole = plt.figure()
    left, right = whole.subfigures(1, 2)
    assert plot.heatmap(GAME, cycles=[(0, 1, 2)], ax=left.subplots()) is whole
    assert plot.convergence(curve([1, 0.5]), ax=right.subplots()) is whole
    drawn(whole)
    plt.close(whole)


def test_the_style_in_use_is_that_of_every_figure():
    path, spectrum = pg.nash(GAME, [1.0, 0.1]), pg.stability(pg.EGPO(0.1, 0.5), GAME, rounds=0)
    with pg.use_style(width="column", colours=["black"], legend=False):
        for figure in (path.plot(), spectrum.plot(), plot.convergence(curve([1, 0.5]))):
            assert "black" in {line.get_color() for line in figure.axes[0].get_lines()}
            assert not legend(figure)
            assert figure.get_size_inches()[0] == 3.3


def test_items_that_are_all_rare_are_drawn():
    figure = plot.prompts(np.full((2, 300), 1 / 300), [str(i) for i in range(300)], ["p", "q"])
    assert len(figure.axes[0].get_yticklabels()) == 20


def test_a_response_that_enters_at_tau_0_stands_at_the_left_edge():
    tied = pg.PreferenceGame(np.full((3, 3), 0.5), [0.9989, 0.001, 0.0001])
    path = pg.nash(tied, [0.0, 1.0])
    drawn(path.plot(above=0.0005))
    for bad in (np.nan, 1.0, -1, "x"):
        with pytest.raises(ValueError, match="above"):
            path.played(bad)
    for prompt in (5, 0.5, "a"):
        with pytest.raises(IndexError, match="prompts are numbered 0 to 0"):
            path.plot(prompt)
