"""A curve holds what can be written and read again; statistics of NaN are refused, not swallowed."""

import numpy as np
import pytest

import pgames as pg

R = np.array([0, 1])


def made(**fields):
    return pg.Curve(**{"solver": "s", "rounds": R, "values": {"m": np.ones((1, 2))}, **fields})


FIELDS = {
    "solver": (None, 3, "a\0b", "\ud800"),
    "values": (
        [1],
        {3: np.ones((1, 2))},
        {"": np.ones((1, 2))},
        {"a\0b": np.ones((1, 2))},
        {"m": [[1], [2, 3]]},
    ),
    "tau": ("x", np.nan, np.inf, -1, 10**400),
    "cpu_seconds": ("x", np.nan),
    "stopped": ("x", 1),
    "rounds": ([0.0, 1.0], [1, 0], "x", [[0, 1]]),
    "bits": ([-2, -1], [1.0, 2.0], [2, 1], [1]),
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_curve_that_no_file_can_hold_is_refused(field):
    for value in FIELDS[field]:
        with pytest.raises(ValueError):
            made(**{field: value})


@pytest.mark.parametrize(
    "name", ["a/b", "../x", "meta", "rounds", "bits", "é", "a.npy", "value:x", "a\\b", "x" * 300]
)
def test_every_other_name_comes_back(tmp_path, name):
    curve = made(
        values={name: np.array([[1.0, 2.0]]), "other": np.zeros((1, 2))}, tau=np.float64(0.1), bits=[0, 3]
    )
    curve.save(tmp_path / "c.npz")
    again = pg.Curve.load(tmp_path / "c.npz")
    assert list(again.values) == [name, "other"] and again.tau == 0.1
    np.testing.assert_array_equal(again.values[name], [[1, 2]])
    np.testing.assert_array_equal(again.bits, [0, 3])


def test_a_quantity_called_as_an_axis_keeps_its_numbers():
    pytest.importorskip("pandas")
    seven = pg.metrics.Named("run", lambda arena, policy: np.full(1, 7.0))
    curve = pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(pg.games.comal3()), 2, [seven])
    frame = curve.to_frame("pandas")
    assert list(frame.columns) == ["run", "round", "run (quantity)"]
    assert set(frame["run (quantity)"]) == {7.0} and set(frame["run"]) == {0}
    pytest.importorskip("xarray")
    assert float(curve.to_xarray()["run (quantity)"].max()) == 7.0


@pytest.mark.parametrize("rounds", [1.5, "x", None, np.nan, [], [[1]]])
def test_rounds_between_two_are_no_rounds(rounds):
    with pytest.raises(ValueError, match="rounds must be"):
        made().at(rounds)
    with pytest.raises(ValueError, match="bits must be"):
        made(bits=[0, 3]).at_bits(rounds)


def test_a_slope_of_nan_is_refused():
    nan = made(rounds=np.arange(1, 20), values={"regret": np.full((2, 19), np.nan)})
    with pytest.raises(ValueError, match="NaN or infinite"):
        nan.late_slope()
    with pytest.raises(ValueError, match="NaN or infinite"):
        nan.fit_log(1)
    with pytest.raises(ValueError, match="NaN or infinite"):
        pg.growth(dict.fromkeys((0.1, 0.2, 0.3), nan))


GROWTH = {
    "a list": (lambda one: [one] * 3, TypeError, "needs a dict of tau -> Curve, got list"),
    "numbers": (lambda one: {0.1: 1, 0.2: 2, 0.3: 3}, TypeError, "needs a dict of tau -> Curve"),
    "a tau of NaN": (lambda one: {np.nan: one, 0.2: one, 0.3: one}, ValueError, "tau above 0, got nan"),
    "a tau of text": (lambda one: {"a": one, 0.2: one, 0.3: one}, ValueError, "tau above 0, got 'a'"),
}


@pytest.mark.parametrize("case", GROWTH)
def test_growth_is_fitted_to_curves_by_tau(case):
    make, kind, said = GROWTH[case]
    with pytest.raises(kind, match=said):
        pg.growth(make(made(values={"regret": np.ones((1, 2))})))


def test_seeds_of_a_bootstrap_are_whole():
    for seed in (-1, 1.5, None, "x"):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            made().summary(seed)
