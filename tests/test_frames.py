"""Data frames and data sets of what pgames returns, and short reprs for terminals and notebooks."""

import functools

import numpy as np
import pytest

import pgames as pg
from pgames.frames import frame
from pgames.sweeps.sweep import sweep
from tests.support.sweep_cells import noted

GAME = pg.games.comal3()


@pytest.fixture(scope="module")
def curve():
    metrics = [pg.metrics.Exploitability(), pg.metrics.Policies()]
    return pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(GAME, runs=2, samples=4), 10, metrics)


@pytest.fixture(params=["pandas", "polars"])
def kind(request):
    pytest.importorskip("narwhals")
    pytest.importorskip(request.param)
    return request.param


def columns(made):
    return {str(name): made[name].to_numpy().tolist() for name in made.columns}


def test_a_curve_has_a_row_for_each_run_and_round(curve, kind):
    made = curve.to_frame(kind)
    assert type(made).__module__.startswith(kind)
    found = columns(made)
    assert list(found) == ["run", "round", "exploitability (tau = 0)"]
    R = len(curve.rounds)
    assert found["run"] == [0] * R + [1] * R and found["round"] == curve.rounds.tolist() * 2
    assert found["exploitability (tau = 0)"] == curve.values["exploitability (tau = 0)"].ravel().tolist()


def test_a_simulation_has_its_verdicts(kind):
    regret = pg.simulate(pg.Greedy(0.1), pg.games.hidden_rps(0.1), 20, seeds=2)
    found = columns(regret.to_frame(kind))
    assert list(found) == ["run", "round", "bits", "regret", "gap", "external", "average_gap"]
    assert found["bits"] == regret.bits.tolist() * 2
    summary = columns(regret.summary().to_frame(kind))
    assert (
        list(summary)[:3] == ["rounds", "bits", "mean"]
        and summary["median"] == np.median(regret.regret, axis=0).tolist()
    )


def test_ratings_are_in_order_with_intervals_where_there_are_some(kind):
    votes = pg.Comparisons([0, 1, 0, 2, 1], [1, 2, 2, 0, 0], [1, 1, 1, 1, 1], ["a", "b", "c"])
    rated = pg.ratings.bradley_terry(votes, prior=1.0)
    found = columns(rated.to_frame(kind))
    assert list(found) == ["item", "score", "low", "high"] and found["item"] == list(rated.ranking)
    assert found["score"] == [rated[item] for item in rated.ranking]
    assert list(columns(pg.ratings.elo(votes).to_frame(kind)))[:2] == ["item", "score"]


def test_equilibria_and_sweeps_have_frames(kind, tmp_path):
    nash = pg.nash(GAME)
    found = columns(nash.to_frame(kind))
    assert (
        list(found) == ["prompt", "response", "probability"]
        and found["probability"] == nash.policy[0].tolist()
    )
    cells = sweep(
        {"tau": [0.1, 0.2], "learner": ["a"]},
        functools.partial(noted, notes=str(tmp_path / "n")),
        tmp_path / "o",
    )
    found = columns(cells.to_frame(kind))
    assert list(found) == ["tau", "learner", "run", "round", "regret"]
    assert found["tau"] == [0.1] * 6 + [0.2] * 6 and found["round"] == [1, 10, 100] * 4


def test_a_quantity_that_a_cell_did_not_record_is_missing(kind):
    from pgames.sweeps.sweep import Cell, Sweep

    rounds, rows = np.array([1, 2]), np.array([[0.5, 0.25]])
    made = [Cell({"tau": t}, pg.Curve("A", rounds, {name: rows})) for t, name in ((0.1, "a"), (0.2, "b"))]
    found = columns(Sweep(made, None, 2).to_frame(kind))
    assert list(found) == ["tau", "run", "round", "a", "b"]
    np.testing.assert_array_equal(found["a"], [0.5, 0.25, np.nan, np.nan])
    np.testing.assert_array_equal(found["b"], [np.nan, np.nan, 0.5, 0.25])


def test_the_installed_library_is_taken_and_another_is_refused(curve):
    pytest.importorskip("narwhals")
    assert type(curve.to_frame()).__module__.startswith(("pandas", "polars"))
    with pytest.raises(ValueError, match="a frame is of 'pandas' or 'polars', got 'excel'"):
        frame({"a": [1]}, "excel")


def test_a_curve_is_a_data_set_with_all_axes(curve):
    pytest.importorskip("xarray")
    made = curve.to_xarray()
    assert dict(made.sizes)["run"] == 2 and made.attrs["solver"] == repr(pg.EGPO(0.1, 0.5))
    assert (made.attrs["arena"], made.attrs["regulariser"]) == ("TableArena", "KL")
    np.testing.assert_array_equal(made["policy"].values, curve.values["policy"])
    np.testing.assert_array_equal(made["round"].values, curve.rounds)
    last = made["exploitability (tau = 0)"].sel(round=10).mean("run")
    assert float(last) == curve.values["exploitability (tau = 0)"][:, -1].mean()


def test_reprs_are_short_whatever_the_size():
    game = pg.games.random_skew(1000, seed=0)
    policy = np.random.default_rng(0).dirichlet(np.ones(1000))[None]
    big = pg.Equilibrium(policy, 1e-17, 1e-17, 3)
    for thing in (big, pg.TableArena(game), pg.DuelArena(game), game, pg.nash(GAME)):
        assert len(repr(thing)) < 200 and "\n" not in repr(thing)
    assert repr(big).endswith("1000 of 1000 played; exploitability=1e-17, residual=1e-17)")
    html = big._repr_html_()
    assert html.count("<tr>") == 21 and len(html) < 3000
    many = pg.ratings.Ratings(tuple(f"<{i}>" for i in range(500)), np.arange(500.0))
    assert len(repr(many).splitlines()) == 32 and "470 more" in repr(many)
    assert "470 more" in many._repr_html_() and "&lt;499&gt;" in many._repr_html_()
    assert "<499>" not in many._repr_html_()
