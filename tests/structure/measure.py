"""The numbers of the structure: `python -m tests.structure.measure`."""

from __future__ import annotations

import re
from collections import Counter

from tests.structure.docstrings import everything
from tests.structure.imports import by_file, by_room, circles, graph, not_allowed, read_map
from tests.structure.sources import PACKAGES, sources

LONG = 300
ANY = re.compile(r"\bAny\b")


def long_files() -> list[tuple[str, int]]:
    """Files of more than 300 lines, the longest first."""
    sizes = [(source.module, len(source.lines)) for source in sources()]
    return sorted([entry for entry in sizes if entry[1] > LONG], key=lambda entry: -entry[1])


def any_by_room() -> Counter[str]:
    """How often the word `Any` stands in each room, as `grep -ow Any` counts it."""
    counts: Counter[str] = Counter()
    for source in sources():
        counts[source.room] += sum(len(ANY.findall(line)) for line in source.lines)
    return +counts


def main() -> None:
    found = graph()
    files, typed = circles(by_file(found)), circles(by_file(found, typing=True))
    print(f"files: {len(sources())}; rooms: {len({source.room for source in sources()})}")
    print(f"files over {LONG} lines: {len(long_files())}")
    for module, lines in long_files():
        print(f"  {lines} {module}")
    for name, some in (("circles of files", files), ("the same, with imports for types", typed)):
        print(f"{name}: {len(some)}")
        for part in some:
            print(f"  {', '.join(part)}")
    rooms = circles(by_room(found))
    print(f"circles of rooms, with imports for types: {len(rooms)}")
    for part in rooms:
        print(f"  {', '.join(part)}")
    try:
        up = [str(arrow) for arrow in not_allowed(found, read_map())]
    except (OSError, ValueError) as error:
        up = [str(error)]
    print(f"arrows that the map does not allow: {len(up)}")
    for arrow in up:
        print(f"  {arrow}")
    counts = any_by_room()
    for package in PACKAGES:
        rooms_of = {room: n for room, n in counts.items() if room.startswith(f"{package}/")}
        print(f"Any in {package}: {sum(rooms_of.values())}")
        print("  " + ", ".join(f"{room.split('/')[1]} {n}" for room, n in sorted(rooms_of.items())))
    public = everything()
    print(f"public names: {len(public)}; without a docstring: {sum(one.doc is None for one in public)}")
    print(f"  arrays and no shape: {sum(one.no_shape for one in public)}")
    print(f"  a raise and no 'Raises': {sum(one.no_raises for one in public)}")


if __name__ == "__main__":
    main()
