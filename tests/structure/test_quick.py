"""The tests of `make quick`, listed in tests/quick.txt, exist and cover every room."""

import ast
from pathlib import Path

import pytest

from tests.structure.imports import arrows
from tests.structure.sources import Source, sources
from tests.support import ROOT

LISTED = (ROOT / "tests" / "quick.txt").read_text().split()
ROOMS = sorted({source.room for source in sources()} - {"pgames/__main__", "llm_backend/__main__"})


def files() -> list[Path]:
    """The test files that the list names, or that lie in a folder that it names."""
    found: list[Path] = []
    for entry in LISTED:
        path = ROOT / entry.split("::")[0]
        found += sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
    return found


def imported(paths: list[Path]) -> set[str]:
    """The rooms that files import."""
    tests = [Source(f"tests.{i}", path, (), ast.parse(path.read_text())) for i, path in enumerate(paths)]
    return {arrow.target.room for arrow in arrows([*sources(), *tests]) if arrow.source in tests}


def mirrored(room: str, entries: list[str]) -> bool:
    """Whether an entry lies where the tests of the room lie: tests/exact or tests/test_exact.py."""
    place = Path("tests", *Path(room).parts[room.startswith("pgames/") :])
    homes = (f"{place}/", f"{place.parent}/test_{place.name}.py")
    paths = [entry.split("::")[0] for entry in entries]
    return any(path.startswith(homes) or path == str(place) for path in paths)


@pytest.mark.parametrize("entry", LISTED)
def test_every_entry_exists(entry):
    path, _, name = entry.partition("::")
    assert (ROOT / path).exists()
    if name:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_room_has_a_quick_test():
    """In the folder or file that mirrors it; a room of one file may also be imported by another test."""
    by_hand = imported(files())
    folders = {room for room in ROOMS if (ROOT / room).is_dir()}
    missing = [
        room for room in ROOMS if not mirrored(room, LISTED) and (room in folders or room not in by_hand)
    ]
    assert missing == []


def test_a_room_without_a_quick_test_is_found():
    """Negative control: without the entries of one folder, that room is missed."""
    assert mirrored("pgames/table", LISTED) and mirrored("llm_backend/judges", LISTED)
    rest = [entry for entry in LISTED if "table" not in entry and "judges" not in entry]
    assert not mirrored("pgames/table", rest) and not mirrored("llm_backend/judges", rest)
