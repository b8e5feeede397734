"""Settings that are not numbers are refused by name, in one line, by every solver, rule and meta-solver."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest

import pgames as pg
from pgames import numerics
from pgames.solver import Weight

NO_NUMBERS = [None, "0.1", b"0.1", 10**400, 1 + 0j, object(), np.array(["0.1"]), {}]
TYPES = ("int", "float", "Weight")


def _made_of_numbers():
    """(class, arguments of a call, a parameter) for each numeric field of each class that checks its own."""
    for room in (pg, pg.population):
        for name in room.__all__:
            made = getattr(room, name)
            if not inspect.isclass(made) or not hasattr(made, "__post_init__"):
                continue
            fields = dataclasses.fields(made)
            given = {f.name: 0.1 if "int" not in str(f.type) else 2 for f in fields if f.type in TYPES}
            given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING} | {
                f.name: given[f.name] for f in fields if f.name in given and f.default is dataclasses.MISSING
            }
            if len(given) == len(fields):
                yield from (
                    pytest.param(made, given, f.name, id=f"{name}.{f.name}")
                    for f in fields
                    if f.type in TYPES
                )


@pytest.mark.parametrize(("made", "given", "name"), list(_made_of_numbers()))
def test_what_is_no_number_is_refused_in_one_line(made, given, name):
    made(**given)
    for value in NO_NUMBERS:
        if value == 10**400 and "int" in str(made.__dataclass_fields__[name].type):
            continue  # a whole number
        with pytest.raises(ValueError, match=name) as error:
            made(**given | {name: value})
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 300


def test_there_are_many_of_them():
    assert len(list(_made_of_numbers())) > 40


@pytest.mark.parametrize("value", [0.5, 1, np.float32(0.5), np.int64(2), np.array(0.5), float("inf")])
def test_numbers_of_numpy_are_numbers(value):
    assert numerics.number(value) == float(value)


def test_a_field_of_weights_takes_one_per_run():
    @dataclasses.dataclass
    class Of:
        tau: Weight
        rounds: int = 1
        eta: float | None = None

    numerics.check_numbers(Of(np.array([0.1, 0.2]), np.int64(3)))  # type: ignore[arg-type]
    for wrong in (Of(0.1, 2.5), Of(0.1, True), Of(np.array([1j])), Of(0.1, eta="1")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^Of: (tau|rounds|eta) must be"):
            numerics.check_numbers(wrong)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.ma.array([0.5, 1.0], mask=[0, 1]), "masked"),
        (np.array(["2024-05-13"], "M8[D]"), "dates"),
        ([[0.5, 10**400]], "too large"),
        ([1j], "complex"),
    ],
)
def test_tables_that_are_no_numbers(values, why):
    with pytest.raises(ValueError, match=f"A must be a table of real numbers.*{why}"):
        numerics.real("A", values)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"runs": 2.5}, "runs"),
        ({"runs": True}, "runs"),
        ({"samples": 2.5}, "samples"),
        ({"samples": "4"}, "samples"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
        ({"first_run": -1}, "first_run"),
    ],
)
@pytest.mark.parametrize(
    ("arena", "game"), [(pg.TableArena, [[0.5]]), (pg.RoleArena, pg.MatrixRoles([[0.5]]))]
)
def test_an_arena_counts_in_whole_numbers(arena, game, arguments, what):
    with pytest.raises(ValueError, match=f"{what}.* must be a whole number of at least"):
        arena(game, **arguments)
