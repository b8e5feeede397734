"""The benchmark of mirror iterations, at a toy's size."""

from benchmarks import mirror
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_mirror_benchmark_is_measured(tmp_path):
    rows = check_document(mirror.main(toy=True, folder=tmp_path), "mirror", tmp_path)
    check_columns(rows, "microseconds", "M per second", "ratio")
    assert {row["game"] for row in rows} == {"4 runs x 3", "1 run x 4", "x 8"}
    compiled = [row for row in rows if row["method"] in ("compiled", "2 runs, compiled")]
    assert [row["ratio"] for row in compiled] == [1, 1, 1]
    assert all("GFLOP/s" in row for row in rows if row["game"] == "x 8")
    peers = {row["method"] for row in rows if row["game"] == "1 run x 4"}
    assert {"OpenSpiel regret matching", "quantecon fictitious play"} <= peers


def test_the_numpy_peer_does_the_same_updates():
    import numpy as np

    import pgames as pg

    game = pg.games.uniform_random(4, 0)
    state = mirror.ours(pg.INPO(mirror.TAU, mirror.ETA), pg.TableArena(game), 7)()
    expected = np.exp(mirror.numpy_logs(game, 1, 7, mirror.TAU))
    np.testing.assert_allclose(pg.TableArena(game).probs(state.policy)[0], expected, atol=1e-12)
