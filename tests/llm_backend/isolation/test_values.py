# ruff: noqa: E501 (programs on one line)
"""What tests may do with a program: values cross as copies, objects stay with the program."""

import warnings

import pytest

from llm_backend import judges

PROGRAM = """
import collections, datetime, decimal, enum, fractions, math
CONSTANT = {"a": [1, (2.5, None)], 3: {1, 2}}
class Stack:
    size = property(lambda self: len(self.items))
    def __init__(self, items=()): self.items = list(items)
    def push(self, x): self.items.append(x); return self
    def pop(self):
        if not self.items: raise Empty("nothing left")
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __getitem__(self, i): return self.items[i]
    def __contains__(self, x): return x in self.items
    def __add__(self, other): return Stack(self.items + other.items)
    def __str__(self): return f"Stack({self.items})"
    def __eq__(self, other): return self.items == other.items
    def __enter__(self): return self
    def __exit__(self, *a): self.items.clear()
class Fault(ValueError): pass
class Empty(Fault): pass
class Colour(enum.Enum): RED = 1
class Level(enum.IntEnum): LOW = 1; HIGH = 2
Point = collections.namedtuple("Point", "x y")
def same(x): return x
def sort(xs): xs.sort()
def fill(grid): grid[0][0] = 7
def apply(f, xs): return [f(x) for x in xs]
def twice(f): return lambda x: f(f(x))
def count():
    n = 0
    while True:
        yield n
        n += 1
async def later(x): return x
def check(x):
    if x < 0: raise ValueError("negative")
    return math.sqrt(x)
def calendar(year): return year + 1
"""
HOLDS = [
    "assert CONSTANT == {'a': [1, (2.5, None)], 3: {1, 2}}",
    "import math\nfor x in (0, -0.0, 10**5000, -(10**300), 1e308, float('inf'), 'a\\ud800\\0', b'\\xff', (), [[]],"
    " {(1, 2): {}}, frozenset({1}), 1 + 2j, True, None, range(3), bytearray(b'x')):\n"
    "    assert same(x) == x and type(same(x)) is type(x)\nassert math.isnan(same(math.nan))",
    "import datetime as d, fractions, decimal, collections\nfor x in (d.date(2020, 1, 2), d.timedelta(1, 2, 3),"
    " d.datetime(2020, 1, 2, 3), fractions.Fraction(1, 3), decimal.Decimal('1.10'), collections.deque([1])):\n"
    "    assert same(x) == x",
    "import collections\nassert same(collections.Counter('aab')) == collections.Counter('aab')",
    "xs = [3, 1, 2]\nsort(xs)\nassert xs == [1, 2, 3]",
    "g = [[0]]\nfill(g)\nassert g == [[7]]",
    "assert apply(lambda x: x + 1, [1, 2]) == [2, 3] and apply(str, [1]) == ['1']",
    "@twice\ndef f(x): return x + 1\nassert f(1) == 3",
    "s = Stack()\nassert s.push(1).push(2) is s and s.size == 2 and s.pop() == 2 and len(s) == 1 and s.items == [1]",
    "s = Stack([1, 2])\nassert list(s) == [1, 2] and s[1] == 2 and 2 in s and str(s) == 'Stack([1, 2])'"
    " and f'{s}' == str(s)\nassert list(s + Stack([3])) == [1, 2, 3] and isinstance(s, Stack) and s",
    "with Stack([1]) as s: assert len(s) == 1\nassert len(s) == 0",
    "for wanted in (Empty, Fault, ValueError):\n    try: Stack().pop()\n    except wanted as e: assert str(e) == 'nothing left'\n"
    "    else: raise AssertionError",
    "try: check(-1)\nexcept ValueError as e: assert 'negative' in str(e)\nelse: assert False",
    "try: {}[same('k')]\nexcept KeyError: pass\nelse: assert False",
    "p = Point(1, 2)\nassert p.x == 1 and p[1] == 2 and tuple(p) == (1, 2) and p == (1, 2) and (1, 2) == p"
    "\nassert p == Point(1, 2) and p != Point(1, 3) and {p: 3}[(1, 2)] == 3 and sorted([Point(2, 1), p])[0] is p",
    "assert Level.LOW == 1 and Level.LOW < Level.HIGH and Level.LOW.name == 'LOW' and same(Level.LOW) == 1",
    "import http\nassert same(http.HTTPStatus.OK) == 200 and sum([Level.LOW, Level.HIGH]) == 3",
    "assert Colour.RED.value == 1 and Colour(1) is Colour.RED",
    "import itertools\nassert list(itertools.islice(count(), 3)) == [0, 1, 2] and next(count()) == 0",
    "async def main(): return await later(3)\nimport asyncio\nassert asyncio.run(main()) == 3",
    "assert math.isclose(check(4), 2) and calendar(1) == 2",  # math is read as a module, calendar is called
    "def helper(x): return check(x)\nassert [helper(x) for x in (1, 4)] == [1, 2]",
]
FAILS = [
    "assert CONSTANT == {}",
    "assert same(1) == 2",
    "assert missing(1) == 2",
    "xs = [3, 1, 2]\nsort(xs)\nassert xs == [3, 1, 2]",
    "try: check(-1)\nexcept KeyError: pass",
    "raise SystemExit(0)",
    "import os; os._exit(0)",
    "assert Colour.RED == 1",
    "assert Level.LOW == 2",
    "assert Point(1, 2) == (1, 3)",
    "assert Point(1, 2) != (1, 2)",
]


@pytest.mark.parametrize("tests", HOLDS)
def test_tests_that_hold(tests):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert judges.passes(tests)("", PROGRAM) == 1.0


@pytest.mark.parametrize("tests", FAILS)
def test_tests_that_fail(tests):
    assert judges.passes(tests)("", PROGRAM) == 0.0


def test_tests_that_can_never_hold_are_told_once():
    compared = judges.passes("assert Stack([1]) == Stack([1])")
    with pytest.warns(UserWarning, match="compare two objects that a program made.*compare their attributes"):
        assert compared("", PROGRAM) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compared("", PROGRAM) == 0.0
    handed = judges.passes("class Own: pass\nassert same(Own())")
    with pytest.warns(UserWarning, match="hand a program an object of their own"):
        assert handed("", PROGRAM) == 0.0


def test_tests_that_are_not_python_are_refused():
    with pytest.raises(ValueError, match=r"tests of 'add' are not Python.*line 1.*correct them"):
        judges.passes({"add": "assert add(1, 2 == 3"})
