"""Public docstrings give the shapes of arrays and say what the body raises."""

import ast
from pathlib import Path

import pytest

from tests.structure.docstrings import everything, public
from tests.structure.sources import Source


def test_public_docstrings_with_arrays_give_shapes():
    missing = [f"{one.room}/{one.place} {one.name}" for one in everything() if one.no_shape]
    assert missing == []


def test_public_docstrings_say_what_raises():
    missing = [f"{one.room}/{one.place} {one.name}" for one in everything() if one.no_raises]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "no_shape", "no_raises"),
    [
        ('def f(x: ArrayLike):\n    """A sum."""', True, False),
        ('def f(x: ArrayLike):\n    """The sum of x float64[S, X]."""', False, False),
        ('def f(x: ArrayLike):\n    """The sum of x float64[n]."""', False, False),
        ('def f(x: int):\n    """A root."""\n    raise ValueError("below 0")', False, True),
        (
            'def f(x: int):\n    """Raises ValueError."""\n    raise ValueError("no")',
            False,
            False,
        ),
        ('def f():\n    """Nothing."""\n    def g():\n        raise ValueError("inside")', False, False),
        (
            'class F:\n    """A."""\n    x: NDArray\n    def __init__(self):\n        raise TypeError',
            True,
            True,
        ),
        ('class F:\n    """A."""\n    def f(self, x: Tensor):\n        raise TypeError', True, True),
        ('def _f(x: ArrayLike):\n    raise ValueError("private")', False, False),
    ],
)
def test_what_is_counted(text, no_shape, no_raises):
    source = Source("pgames.part.file", Path("file.py"), tuple(text.splitlines()), ast.parse(text))
    found = list(public(source))
    assert any(one.no_shape for one in found) == no_shape
    assert any(one.no_raises for one in found) == no_raises
