"""Values of the wrong kind are refused in one line instead of being read as something else."""

import numpy as np
import pytest

import pgames as pg
from pgames.games.building import from_payoffs
from pgames.ratings import alpha_rank

P = [[0.5, 0.6], [0.4, 0.5]]
COMPLEX = np.array(P) + 0.1j * np.array([[0, 1], [-1, 0]])


@pytest.mark.parametrize(
    "make",
    [
        lambda: pg.PreferenceGame(COMPLEX),
        lambda: pg.PreferenceGame(COMPLEX.tolist()),
        lambda: pg.PreferenceGame(COMPLEX, symmetrise=True),
        lambda: pg.PreferenceGame(np.array(P, complex)),
        lambda: pg.PreferenceGame(P, [0.5 + 1j, 0.5]),
        lambda: pg.PreferenceGame(P, prompt_weights=[1 + 0j]),
        lambda: pg.PreferenceGame(P).with_reference(np.array([0.5, 0.5j])),
        lambda: pg.games.bradley_terry([1j, 2]),
        lambda: from_payoffs([[0, 1j], [-1j, 0]]),
        lambda: pg.nash_zero_sum([[1j]]),
        lambda: pg.exploitability(pg.PreferenceGame(P), [0.5, 0.5 + 0.5j]),
        lambda: pg.best_response(pg.PreferenceGame(P), [0.5, 0.5 + 0.5j]),
        lambda: pg.TableArena(pg.PreferenceGame(P)).policy([0.5 + 0j, 0.5]),
        lambda: alpha_rank([[0, 1j], [-1j, 0]], 1.0),
        lambda: pg.PreferenceGame([["a", "b"], ["c", "d"]]),
        lambda: pg.PreferenceGame([[0.5, [1]], [0.4, 0.5]]),
        lambda: pg.PreferenceGame(object()),
    ],
)
def test_only_real_numbers_are_read(make):
    with pytest.raises(ValueError, match="must be a table of real numbers") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_real_numbers_of_any_type_are_read():
    for table in (P, np.array(P, object), [[0.5, True], [False, 0.5]]):
        assert pg.PreferenceGame(table).responses == 2


@pytest.mark.parametrize(
    "labels", ["ab", "abc", np.array("abc"), np.array("ab"), 3, [], ["a"], ["a", "b", "c"]]
)
def test_labels_are_a_list_of_names(labels):
    with pytest.raises(ValueError, match=r"labels must (be a list of 2 names|name each of the 2 responses)"):
        pg.PreferenceGame(P, labels=labels)
    assert pg.PreferenceGame(P, labels=np.array(["a", "b"])).labels == ("a", "b")
