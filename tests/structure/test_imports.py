"""The imports of the packages are those of the map in `docs/architecture.md`, and have no circle."""

import pytest

from tests.structure.imports import (
    arrows,
    as_map,
    by_file,
    by_room,
    circles,
    graph,
    not_allowed,
    read_map,
    unused,
)
from tests.structure.sources import sources


def test_no_file_imports_itself_through_others():
    assert circles(by_file(graph(), typing=True)) == []


def test_no_room_imports_itself_through_others():
    assert circles(by_room(graph())) == []


def test_rooms_import_only_downwards():
    """A new arrow is a decision: add it to the map, or do without it."""
    assert [str(arrow) for arrow in not_allowed(graph(), read_map())] == []


def test_every_arrow_of_the_map_is_used():
    assert unused(graph(), read_map()) == []


def test_pgames_imports_nothing_of_the_backend():
    backwards = [
        str(arrow)
        for arrow in graph()
        if arrow.source.room.startswith("pgames/") and arrow.target.room.startswith("llm_backend/")
    ]
    assert backwards == []


# -- negative controls ----------------------------------------------------------------------------------

FILES = {
    "house/__init__.py": "from house.low import base\n",
    "house/low/__init__.py": "",
    "house/low/base.py": "def late():\n    from ..high import top\n    return top\n",
    "house/low/leaf.py": "from . import base\n",
    "house/high/__init__.py": "",
    "house/high/top.py": (
        "from typing import TYPE_CHECKING\nimport house.low.leaf\n"
        "if TYPE_CHECKING:\n    from house import extra\nelse:\n    extra = None\n"
    ),
    "house/extra.py": "import house.high.top as top\n",
}


@pytest.fixture
def house(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return arrows(sources(("house",), tmp_path))


def test_relative_imports_and_those_inside_functions_count(house):
    assert by_file(house) == {
        "house": {"house.low.base"},
        "house.low.base": {"house.high.top"},
        "house.low.leaf": {"house.low.base"},
        "house.high.top": {"house.low.leaf"},
        "house.extra": {"house.high.top"},
    }


def test_a_circle_is_found(house):
    assert circles(by_file(house)) == [["house.high.top", "house.low.base", "house.low.leaf"]]
    (with_types,) = circles(by_file(house, typing=True))
    assert "house.extra" in with_types
    assert circles(by_room(house, typing=False)) == [["house/high", "house/low"]]


def test_an_arrow_that_the_map_lacks_and_one_that_no_import_has_are_found(house, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Map\n\n```text room -> rooms\nhouse:\n  low\n  high -> low (extra)\n  extra -> high low\n"
        "  __init__ -> low\n```\n"
    )
    allowed = read_map(page)
    assert [str(arrow) for arrow in not_allowed(house, allowed)] == [
        "house/low -> house/high (house.low.base:2)"
    ]
    assert unused(house, allowed) == ["house/extra -> house/low"]


def test_a_map_in_which_a_room_imports_one_below_it_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```text room -> rooms\nhouse:\n  low -> high\n  high\n```\n")
    with pytest.raises(ValueError, match=r"house/low stands twice, or imports \['house/high'\]"):
        read_map(page)
    page.write_text("no map\n")
    with pytest.raises(ValueError, match=r"page\.md has no block"):
        read_map(page)


def test_the_map_that_is_printed_is_the_graph(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"```text room -> rooms\n{as_map(graph(), read_map())}\n```\n")
    assert read_map(page) == read_map()
    assert list(read_map(page)) == list(read_map())
