"""Games of two roles: tables, exact equilibria, published cases, bad input."""

import numpy as np
import pytest

import pgames as pg
from pgames.roles import named
from tests.support.roles import closed_form, references, softmax, table

R = table(0, (6, 4))


def test_the_equilibrium_of_a_matrix_is_that_of_nash_zero_sum():
    refs = references(2)
    found = pg.nash_roles(pg.MatrixRoles(table(2), *refs), 0.1)
    exact = pg.nash_zero_sum(table(2), 0.1, refs)
    np.testing.assert_allclose(found.attacker, exact.row, atol=1e-15)
    np.testing.assert_allclose(found.defender, exact.column, atol=1e-15)
    assert found.value == pytest.approx(exact.value, abs=1e-15)
    assert max(found.gains) < 1e-28
    assert sum(pg.nash_roles(pg.MatrixRoles(table(2)), 0.0).gains) < 1e-14


def test_the_closed_form_of_prompts():
    found = pg.nash_roles(pg.PromptRoles(R), 0.1)
    p, q = closed_form(R, 0.1)
    np.testing.assert_allclose(found.attacker, p, atol=1e-15)
    np.testing.assert_allclose(found.defender, q, atol=1e-15)
    assert found.value == pytest.approx(p @ (q * R).sum(axis=1), abs=1e-15)
    assert max(found.gains) < 1e-28


def test_a_defender_with_a_free_hand_plays_no_game():
    """Its answers do not depend on the attacker, who ends on the worst prompt."""
    one = pg.nash_roles(pg.PromptRoles(R), (0.1, 0.05))
    other = pg.nash_roles(pg.PromptRoles(R, attacker=[0.9, 0.02, 0.02, 0.02, 0.02, 0.02]), (5.0, 0.05))
    np.testing.assert_array_equal(one.defender, other.defender)
    worst = pg.nash_roles(pg.PromptRoles(R))
    assert worst.attacker[np.argmax(R.min(axis=1))] == 1 and worst.value == R.min(axis=1).max()
    matrix = pg.nash_roles(pg.MatrixRoles(R))  # one defence against all prompts: the attacker mixes
    assert np.sum(matrix.attacker > 0.01) > 1 and matrix.value > worst.value


def test_ties_are_broken_in_proportion_to_the_reference():
    game = pg.PromptRoles([[0.2, 0.2, 0.5]] * 2, attacker=[0.75, 0.25], defender=[0.2, 0.6, 0.2])
    found = pg.nash_roles(game)
    np.testing.assert_allclose(found.attacker, [0.75, 0.25])
    np.testing.assert_allclose(found.defender, [[0.25, 0.75, 0]] * 2)


def test_published_penalty_kicks_and_guards():
    kicks = pg.nash_roles(named.penalty_kicks())
    np.testing.assert_allclose(kicks.attacker, [0.3854, 0.6146], atol=5e-5)
    np.testing.assert_allclose(kicks.defender, [0.4199, 0.5801], atol=5e-5)
    doors = pg.nash_roles(named.guards(5))
    np.testing.assert_allclose([*doors.attacker, *doors.defender], 0.2, atol=1e-14)
    assert doors.value == pytest.approx(0.8)


def test_tables_and_halves_are_inverse():
    for game, defender in ((pg.MatrixRoles(table(0)), (5,)), (pg.PromptRoles(R), (6, 4))):
        rng = np.random.default_rng(1)
        p, q = softmax(rng.normal(size=(3, 6))), softmax(rng.normal(size=(3, *defender)))
        there = game.table(p, q)
        assert there.shape == (3, *game.support.shape)
        for part, back in zip((p, q), game.halves(there), strict=True):
            np.testing.assert_array_equal(part, back)


def test_labels():
    game = pg.MatrixRoles(np.eye(2), attacks=["left", "right"])
    assert game.attacks == ("left", "right") and game.defences == ("defence 0", "defence 1")
    assert pg.PromptRoles([[0.1, 0.2]]).prompts == ("prompt 0",)
    assert (repr(game), repr(pg.PromptRoles(R))) == (
        "MatrixRoles(attacks=2, defences=2)",
        "PromptRoles(prompts=6, answers=4)",
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pg.MatrixRoles([0.1, 0.2]), r"A must have shape \[m, n\], got \[2\]"),
        (lambda: pg.MatrixRoles([[0.1, 1.2]]), r"success rates in \[0, 1\], got A\[0, 1\] = 1.2: for other"),
        (lambda: pg.PromptRoles([[np.nan]]), r"R must hold .* got R\[0, 0\] = nan"),
        (lambda: pg.MatrixRoles([["a"]]), "A must be a table of real numbers"),
        (lambda: pg.MatrixRoles(np.eye(2), attacker=[1.0]), r"attacker must have shape \[2\], got \[1\]"),
        (lambda: pg.MatrixRoles(np.eye(2), defender=[0.5, 0.6]), "defender must sum to 1, got 1.1"),
        (lambda: pg.PromptRoles(R, defender=np.eye(4)), r"defender must have shape \[6, 4\], got \[4, 4\]"),
        (lambda: pg.MatrixRoles(np.eye(2), attacks=["one"]), "attacks must be a list of 2 names"),
        (lambda: pg.MatrixRoles(np.eye(2), defences=7), "defences must be a list of 2 names, got 7"),
        (lambda: pg.MatrixRoles(np.eye(2)).table([1.0], [0.5, 0.5]), r"attacker must have shape \[2\]"),
        (lambda: pg.PromptRoles(R).table([1 / 6] * 6, [0.25] * 4), r"defender must have shape \[6, 4\]"),
        (lambda: pg.nash_roles(pg.MatrixRoles(np.eye(2)), (0.0, 0.1)), "tau must be 0 for both"),
        (lambda: named.guards(0), "doors must be at least 1, got 0"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_game_is_refused():
    with pytest.raises(TypeError, match="nash_roles needs MatrixRoles or PromptRoles, got PreferenceGame"):
        pg.nash_roles(pg.games.comal3())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"RoleArena needs a game of two roles, got ndarray: pass"):
        pg.RoleArena(np.eye(2))  # type: ignore[arg-type]
