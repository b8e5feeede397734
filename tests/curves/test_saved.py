"""Saved curves: written and read back, those of earlier versions too, and nothing else taken for one."""

from pathlib import Path

import numpy as np
import pytest

import pgames as pg
from pgames.curves import Curve
from pgames.loop import log_grid

DATA = Path(__file__).parent / "data"  # written by commit 55205f5, before runs and regret shared a class


def test_a_run_of_an_earlier_version_has_its_axes_turned():
    old = Curve.load(DATA / "run_55205f5.npz")
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    arena = pg.TableArena(game, runs=2, samples=4)
    metrics = [pg.metrics.Exploitability(), pg.metrics.Policies()]
    new = pg.run(pg.EGPO(0.1, 0.5), arena, 10, metrics, points=4)
    assert old.solver == new.solver and np.array_equal(old.rounds, new.rounds) and old.bits is None
    assert old.cpu_seconds is not None and not old.stopped and old.state is None and old.tau is None
    assert old.values["policy"].shape == (2, 5, 1, 3)
    for name, value in new.values.items():
        np.testing.assert_array_equal(old.values[name], value)
    assert not np.array_equal(*old.values["policy"])  # the two runs differ, so their order is checked


def test_a_regret_curve_of_an_earlier_version():
    old = Curve.load(DATA / "regret_55205f5.npz")
    new = pg.simulate(pg.SparringEXP3(), pg.games.cyclic(3, 0.9), 20, seeds=2, record=4)
    assert old.solver == new.solver and old.tau == new.tau == 0.0 and not old.stopped
    for name in ("rounds", "bits", "regret", "gap", "external", "average_gap"):
        np.testing.assert_array_equal(getattr(old, name), getattr(new, name))
    assert repr(old) == repr(new)


@pytest.mark.parametrize("name", ["run_55205f5.npz", "regret_55205f5.npz"])
def test_saved_again_and_loaded(tmp_path, name):
    old = Curve.load(DATA / name)
    old.save(tmp_path / "curve.npz")
    again = Curve.load(tmp_path / "curve.npz")
    for field in ("solver", "tau", "cpu_seconds", "stopped"):
        assert getattr(again, field) == getattr(old, field)
    np.testing.assert_array_equal(again.rounds, old.rounds)
    np.testing.assert_array_equal(again.bits, old.bits)
    assert list(again.values) == list(old.values)
    for key, value in old.values.items():
        np.testing.assert_array_equal(again.values[key], value)


META = '{"format": 2, "solver": "A", "tau": null, "cpu_seconds": 0.5, "stopped": false}'
SETTING = '{"arena": "A", "regulariser": "KL", "samples": null, "anchored": false}'
GOOD = {"meta": META, "rounds": np.array([1, 2, 5]), "value:gap": np.ones((2, 3)), "bits": np.arange(3)}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"rounds": np.array([1, 5, 2])}, "rounds must increase"),
        ({"rounds": np.array([1, 2, 2])}, "rounds must increase"),
        ({"rounds": np.array([-1, 2, 3])}, "rounds must increase from 0"),
        ({"rounds": np.array([1.0, 2.0, 5.0])}, "rounds must be int64"),
        ({"rounds": np.array(3)}, "rounds must be int64"),
        ({"value:gap": np.ones((3, 2))}, "'gap' must be float64"),
        ({"value:gap": np.ones(3)}, "'gap' must be float64"),
        ({"value:gap": np.array([["a", "b", "c"]])}, "'gap' must be float64"),
        ({"value:kl": np.ones((4, 3))}, "same number of runs"),
        ({"value:gap": np.ones((0, 3))}, "same number of runs"),
        ({"bits": np.arange(2)}, "bits must be int64"),
        ({"bits": np.array([3, 2, 1])}, "bits must be int64"),
        ({"meta": META.replace("2,", "3,")}, "format 3 is newer than 2"),
        ({"meta": META.replace('"A"', "1")}, "solver must be str"),
        ({"meta": META.replace("false", "0")}, "stopped must be bool"),
        ({"meta": META.replace("0.5", '"x"')}, "cpu_seconds must be a number"),
        ({"meta": META.replace("}", ', "setting": 3}')}, "setting must be an object with arena"),
        (
            {"meta": META.replace("}", f', "setting": {SETTING.replace("null", "true")}' + "}")},
            "samples of the setting is True",
        ),
        ({"meta": "[]"}, "meta must be an object"),
        ({"meta": "{"}, "Expecting property name"),
    ],
)
def test_files_that_hold_no_curve_are_refused_in_one_line(tmp_path, changed, says):
    np.savez(tmp_path / "x.npz", **{**GOOD, **changed})
    with pytest.raises(ValueError, match=r"x\.npz is not a saved curve: ") as refusal:
        Curve.load(tmp_path / "x.npz")
    assert "\n" not in str(refusal.value) and says in str(refusal.value)


@pytest.mark.parametrize("name", [*GOOD])
def test_a_file_without_one_of_its_arrays(tmp_path, name):
    np.savez(tmp_path / "x.npz", **{key: value for key, value in GOOD.items() if key != name})
    if name in ("meta", "rounds"):
        with pytest.raises(ValueError, match=f"it lacks '{name}'"):
            Curve.load(tmp_path / "x.npz")
    else:
        assert Curve.load(tmp_path / "x.npz").seeds == (0 if name == "value:gap" else 2)


def test_statistics_of_runs_are_those_of_the_first_quantity():
    arena = pg.TableArena(pg.games.comal3().with_reference([0.6, 0.3, 0.1]), runs=2)
    policies = pg.metrics.Policies()
    curve = pg.run(pg.SPPO(np.array([0.5, 0.1])), arena, 500, [pg.metrics.Exploitability(), policies])
    table = curve.summary()
    assert table.bits is None and np.array_equal(table.rounds, log_grid(500))
    np.testing.assert_array_equal(table.mean, curve.values["exploitability (tau = 0)"].mean(axis=0))
    assert curve.at(500).mean[0] == table.mean[-1] and "-" in repr(table)
    assert 50 <= curve.late_slope().first <= 60
    with pytest.raises(ValueError, match="counts no verdicts"):
        curve.at_bits(3)
    with pytest.raises(ValueError, match=r"'policy' has shape .* only\(name\)"):
        curve.only("policy").summary()


def test_a_metric_without_one_value_per_run_is_refused_before_the_first_round():
    class Mean:
        name = "mean"

        def __call__(self, arena, policy):
            return arena.exploitability(policy).mean()

    with pytest.raises(ValueError, match=r"metric 'mean' must return one value per run, float64\[3\]"):
        pg.run(pg.SPPO(0.5), pg.TableArena(pg.games.duel(), runs=3), 10, [Mean()])
