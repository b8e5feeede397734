"""Values of the wrong kind are refused in one line instead of being read as something else."""

import numpy as np
import pytest

import pgames as pg
from pgames.games.building import from_payoffs
from pgames.ratings import alpha_rank

P = [[0.5, 0.6], [0.4, 0.5]]
MASKED = np.ma.array(P, mask=[[0, 1], [0, 0]])
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


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: pg.PreferenceGame(MASKED),
            "entries are masked: pass values.filled",
        ),
        (lambda: pg.nash_zero_sum(MASKED), "A must be .* masked"),
        (lambda: pg.PreferenceGame(np.array([["2024-01-01"] * 2] * 2, "datetime64[D]")), "dates or times"),
        (lambda: pg.PreferenceGame([[0.5, 10**400], [0, 0.5]]), "too large to convert"),
        (lambda: pg.nash_zero_sum([[10**400]]), "A must be a table of real numbers"),
        (lambda: pg.PreferenceGame([[0.5, np.inf], [-np.inf, 0.5]]), "infinite entry is not a probability"),
        (lambda: pg.PreferenceGame([[0, 1e308], [1e308, 0]]), "P must lie in"),
        (lambda: pg.PreferenceGame(P, labels=["a", "a"]), "labels must be different names, got 'a' twice"),
        (lambda: pg.PreferenceGame(P, labels=b"ab"), "labels must be a list of 2 names"),
        (lambda: pg.PreferenceGame(P, labels={"a", "b"}), "labels must be a list of 2 names"),
        (lambda: pg.PreferenceGame(P).prompt(1), "prompts are numbered 0 to 0, got 1"),
        (lambda: pg.PreferenceGame(P).prompt(0.5), "prompts are numbered 0 to 0, got 0.5"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(make, said):
    with pytest.raises(ValueError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_labels_of_bytes_are_text():
    assert pg.PreferenceGame(P, labels=np.array([b"a", "ü".encode()])).labels == ("a", "ü")
