"""Games from what people have: arrays, lists, tensors and frames; and what a wrong table is told."""

import numpy as np
import pytest

import pgames as pg

P = np.array([[0.5, 0.7, 0.2], [0.3, 0.5, 0.9], [0.8, 0.1, 0.5]])
GAME = pg.PreferenceGame(P)


@pytest.mark.parametrize("table", [P, P.tolist(), P[None], P.astype(np.float32), P.astype(object)])
def test_a_table_stands_for_its_game(table):
    nash = pg.nash(table, tau=0.1)
    np.testing.assert_allclose(nash.policy, pg.nash(GAME, tau=0.1).policy, atol=1e-6)
    assert pg.exploitability(table, nash.policy, 0.1) < 1e-9
    np.testing.assert_allclose(pg.best_response(table, [1, 0, 0]), [[0, 0, 1]])
    assert pg.duality_gap(table, [1, 0, 0]) == pytest.approx(0.6)
    assert pg.TableArena(table).game.responses == pg.DuelArena(table).responses == 3


def test_tensors_and_games_are_arrays_too():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(P, requires_grad=True)
    np.testing.assert_array_equal(pg.PreferenceGame(tensor).P[0], GAME.P[0])
    np.testing.assert_array_equal(pg.nash(tensor).policy, pg.nash(GAME).policy)
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        np.testing.assert_allclose(pg.nash(tensor.to(kind)).policy, pg.nash(GAME).policy, atol=0.02)
    array = np.asarray(GAME)
    assert array.shape == (1, 3, 3) and array.dtype == np.float64
    assert np.asarray(GAME, np.float32).dtype == np.float32
    np.testing.assert_allclose(pg.PreferenceGame(np.asarray(GAME)).skew, GAME.skew, atol=1e-16)
    with pytest.raises(ValueError, match="is a copy"):
        np.array(GAME, dtype=np.float32, copy=False)


def test_a_frame_gives_its_names():
    pandas = pytest.importorskip("pandas")
    names = ["ann", "bob", "eve"]
    frame = pandas.DataFrame(P, index=names, columns=names)
    assert pg.PreferenceGame(frame).labels == tuple(names)
    turned = frame.loc[["eve", "ann", "bob"]]  # rows in another order
    np.testing.assert_array_equal(pg.PreferenceGame(turned).P[0], GAME.P[0])
    assert pg.PreferenceGame(frame, labels=["a", "b", "c"]).labels == ("a", "b", "c")
    named = frame.reset_index(names="name")
    np.testing.assert_array_equal(pg.nash(named).policy, pg.nash(GAME).policy)
    assert pg.PreferenceGame(pandas.DataFrame(P)).labels == ("0", "1", "2")
    with pytest.raises(ValueError, match="the same names, 'bob' is not in both"):
        pg.PreferenceGame(frame.rename(columns={"bob": "rob"}))
    with pytest.raises(ValueError, match="the same names"):
        pg.PreferenceGame(pandas.DataFrame(P, index=["a", "a", "b"], columns=["a", "a", "b"]).iloc[[1, 2, 0]])


def test_a_frame_of_polars_has_its_names_in_a_column():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"name": ["b", "a"], "a": [0.4, 0.5], "b": [0.5, 0.6]})
    game = pg.PreferenceGame(frame)
    assert game.labels == ("a", "b") and game.P[0, 0, 1] == 0.6


def test_columns_that_are_numbers_in_another_order_are_names():
    pandas = pytest.importorskip("pandas")
    turned = pandas.DataFrame(P, columns=[0, 1, 2])[[2, 0, 1]]
    game = pg.PreferenceGame(turned)
    assert game.labels == ("2", "0", "1") and game.P[0, 0, 1] == P[2, 0]
    gap = pandas.DataFrame({"a": pandas.array([0.5, None], dtype="Float64"), "b": [0.5, 0.5]})
    with pytest.raises(ValueError, match=r"P\[0, 1, 0\] is NaN"):
        pg.PreferenceGame(gap)


def test_an_array_of_xarray_has_its_names_in_coordinates():
    xarray = pytest.importorskip("xarray")
    names = ["ann", "bob", "eve"]
    array = xarray.DataArray(P, dims=["row", "column"], coords={"row": names, "column": names})
    for given in (array, array.isel(row=[2, 0, 1]), array.expand_dims("prompt").isel(row=[1, 0, 2])):
        game = pg.PreferenceGame(given)
        assert game.labels == tuple(names)
        np.testing.assert_array_equal(game.P[0], GAME.P[0])
    assert pg.PreferenceGame(xarray.DataArray(P)).labels == ("0", "1", "2")
    with pytest.raises(ValueError, match="the same names, 'bob' is not in both"):
        pg.PreferenceGame(array.assign_coords(column=["ann", "rob", "eve"]))


def test_a_table_of_pyarrow_has_names():
    pa = pytest.importorskip("pyarrow")
    plain = pa.table({"b": [0.5, 0.6], "a": [0.4, 0.5]})
    named = pa.table({"name": ["a", "b"], "b": [0.6, 0.5], "a": [0.5, 0.4]})
    for table in (plain, named):
        game = pg.PreferenceGame(table)
        assert game.labels == ("b", "a") and game.P[0, 1, 0] == 0.6


def test_numbers_that_are_not_laid_out_are_laid_out_or_refused():
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(pg.PreferenceGame(torch.tensor(P).to_sparse()).P, GAME.P)
    with pytest.raises(ValueError, match="on the device meta has none"):
        pg.PreferenceGame(torch.empty(2, 2, device="meta"))
    sparse = pytest.importorskip("scipy.sparse").csr_array(P)
    with pytest.raises(ValueError, match=r"pass values.toarray\(\)"):
        pg.PreferenceGame(sparse)
    lazy = pytest.importorskip("polars").DataFrame({"a": [0.5, 0.6], "b": [0.4, 0.5]}).lazy()
    with pytest.raises(ValueError, match=r"pass values.collect\(\)"):
        pg.PreferenceGame(lazy)


@pytest.mark.parametrize("wrong", [None, "comal3", 3, pg.PreferenceGame, {"a": 1}, pg.games.comal3])
def test_what_is_no_table_is_refused(wrong):
    for call in (pg.nash, pg.TableArena, lambda game: pg.exploitability(game, [1.0])):
        with pytest.raises(TypeError, match=r"must be a PreferenceGame or a table P\[y, z\] of win rates"):
            call(wrong)


def test_votes_are_no_game_but_have_one():
    votes = pg.Comparisons([0], [1], [1])
    for call in (pg.nash, pg.TableArena, pg.ratings.nash_average):
        with pytest.raises(TypeError, match=r"got Comparisons: pass pgames.estimate\(votes\)"):
            call(votes)


@pytest.mark.parametrize(
    ("table", "remedy"),
    [
        (P - 0.5, r"For A = P - 1/2 pass 1/2 \+ A; for payoffs A in \[-1, 1\] pass \(1 \+ A\) / 2"),
        (2 * P - 1, r"8\. For payoffs A in \[-1, 1\] pass"),
        ((P - 0.5) * 40, r"margins A pass \(1 \+ A / 16\) / 2"),
        (P * 100, r"add up to 100: pass P / 100"),
        ([[0, 7], [4, 0]], r"counts of wins W pass W / \(W \+ W'\)"),
    ],
)
def test_the_remedy_fits_the_table(table, remedy):
    with pytest.raises(ValueError, match=remedy):
        pg.PreferenceGame(table)


def test_stacked_games_keep_every_name():
    yes = pg.PreferenceGame([[0.5, 0.7], [0.3, 0.5]], labels=["yes", "no"])
    left = pg.PreferenceGame([[0.5, 0.7], [0.3, 0.5]], labels=["left", "right"])
    three = pg.PreferenceGame(P, labels=["yes", "no", "maybe"])
    assert pg.games.stack([yes, left]).labels == ("yes / left", "no / right")
    assert pg.games.stack([yes, three]).labels == ("yes", "no", "maybe")
    assert pg.games.stack([pg.games.duel(), yes]).labels == ("yes", "no")  # numbers are not names
    assert pg.games.stack([GAME, GAME]).labels == ("0", "1", "2")


def test_ratings_are_a_mapping_of_items():
    scores = pg.ratings.elo(pg.Comparisons([0, 1], [1, 2], [1, 1], ["a", "b", "c"]))
    assert dict(scores) == {item: scores[item] for item in "abc"}
    assert list(scores) == ["a", "b", "c"] and len(scores) == 3 and "a" in scores and "z" not in scores


SIXTHS = np.array([[3, 5, 1], [1, 3, 4], [5, 2, 3]]) / 6  # sums of two are not 1 in single precision


@pytest.mark.parametrize("kind", ["f2", "f4", ">f4", ">f8", "longdouble"])
def test_every_floating_type_keeps_its_own_rounding(kind):
    table = SIXTHS.astype(kind)
    for given in (table, np.asfortranarray(table), list(table), [list(row) for row in table], table[None]):
        np.testing.assert_allclose(pg.PreferenceGame(given).P[0], SIXTHS, atol=float(np.finfo(kind).eps))
    with pytest.raises(ValueError, match=r"P \+ P' must be 1"):
        pg.PreferenceGame(table + np.array([[0, 0.02, 0]] * 3, dtype=kind))


@pytest.mark.parametrize("kind", ["float32", "Float32", "float[pyarrow]", "float16"])
def test_frames_of_small_floats_keep_their_rounding(kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(SIXTHS, columns=["a", "b", "c"]).astype(kind)
    frame["b"] = frame["b"].astype("float64")  # a column of another type
    game = pg.PreferenceGame(frame)
    assert game.labels == ("a", "b", "c")
    np.testing.assert_allclose(game.P[0], SIXTHS, atol=1e-3 if kind == "float16" else 1e-7)
    with pytest.raises(ValueError, match=r"P \+ P' must be 1"):
        pg.PreferenceGame(pandas.DataFrame(SIXTHS.astype(np.float32).astype(np.float64)))


def test_frames_of_polars_and_pyarrow_of_small_floats_keep_their_rounding():
    polars, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    columns = {name: SIXTHS[:, i].astype(np.float32) for i, name in enumerate("abc")}
    for frame in (polars.DataFrame(columns), pa.table(columns)):
        game = pg.PreferenceGame(frame)
        assert game.labels == ("a", "b", "c")
        np.testing.assert_allclose(game.P[0], SIXTHS, atol=1e-7)
