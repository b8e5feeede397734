"""Store: the folder of a sweep, which keeps finished cells, grows, and refuses other configurations.

A folder holds `sweep.json`, the configuration, and for every finished cell `cells/DIGEST.npz`, the Curve, and
`cells/DIGEST.json`, which names the cell, the configuration, the versions and the digest of the curve's
bytes. A cell counts as finished once its .json exists, which is written last. DIGEST is that of all arguments
of the cell, those of the grid and the defaults, so another grid finds the cells that it shares. Folders of
earlier versions, with cells/NNNN, are read too.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pgames.curves import Curve
from pgames.files import atomic, parse_json, remove_leftovers
from pgames.sweeps.fingerprint import described, source_digest
from pgames.version import __version__

PACKAGE = Path(__file__).parents[1]


SAME = ("simulate", "versions", "defaults")  # what all cells of a folder share

Values = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """The cells of one function and its defaults in one folder."""

    folder: Path
    configuration: dict[str, Any]
    _numbered: dict[str, str] = field(
        default_factory=dict, init=False
    )  # names by digest, of earlier versions

    def claim(self) -> None:
        """Create the folder, write the configuration to it and look at the cells that are there.

        Raises ValueError when it is a file, or it or one of its cells has another configuration.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file, and a folder is needed: pass another out=.")
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, self.folder / "cells"):
            remove_leftovers(folder)
        path = self.folder / "sweep.json"
        there = None
        if path.is_file():
            try:
                there = _read(path)
            except ValueError:
                warn(f"{path} is damaged; writing it again.")
            else:
                self._refuse(there)
        for manifest in sorted((self.folder / "cells").glob("*.json")):
            try:
                about = _read(manifest)
                configuration, cell = dict(about["configuration"]), dict(about["cell"])
            except (ValueError, KeyError, TypeError):
                if manifest.stem.isdigit() and len(manifest.stem) == 4:
                    warn(f"{manifest} is damaged; its cell is computed again.")
                continue
            self._refuse(configuration)
            digest = _digest({**configuration.get("defaults", {}), **cell})
            if manifest.stem != digest:
                self._numbered[digest] = manifest.stem
        if there is None:
            _write(path, self.configuration)

    def finished(self, values: Values) -> bool:
        """Whether the cell has been written."""
        return self._path(values, ".json").is_file()

    def load(self, values: Values) -> Curve | None:
        """The curve of a cell; None when it is not finished, or when it is damaged, with a warning.

        Raises ValueError when the cell belongs to another configuration.
        """
        manifest, data = self._path(values, ".json"), self._path(values, ".npz")
        if not manifest.is_file():
            return None
        try:
            about = _read(manifest)
            there, digest = dict(about["configuration"]), about["sha256"]
            if not data.is_file():
                raise ValueError(f"{data.name} is missing")
            if _sha256(data) != digest:
                raise ValueError(f"{data.name} differs from its digest")
        except (ValueError, KeyError, TypeError) as error:
            warn(f"cell {spelled(values)} is damaged ({manifest}: {error}); computing it again.")
            return None
        self._refuse(there)
        curve = Curve.load(data)
        seconds = about.get("rounds_cpu_seconds")
        return replace(curve, cpu_seconds=seconds) if isinstance(seconds, float) else curve

    def save(self, values: Values, curve: Curve, cpu_seconds: float) -> None:
        """Write the curve of a cell, then its manifest, which has the times."""
        data = self._path(values, ".npz")
        replace(curve, cpu_seconds=None).save(data)
        manifest = {
            "cell": _described(values),
            "configuration": self.configuration,
            "sources": source_digest(PACKAGE),
            "sha256": _sha256(data),
            "cpu_seconds": round(cpu_seconds, 3),
            "rounds_cpu_seconds": curve.cpu_seconds,
        }
        _write(self._path(values, ".json"), manifest)

    def warn_of_edits(self, finished: list[Values]) -> None:
        """Warn when cells were computed before an edit of the sources of pgames."""
        now = source_digest(PACKAGE)
        made = [_read(self._path(values, ".json")) for values in finished]
        if edited := sum(manifest.get("sources") != now for manifest in made):
            warn(
                f"{edited} cells in {self.folder / 'cells'} are older than an edit of pgames {__version__}'s "
                "sources; remove the folder if that edit matters to them."
            )

    def _path(self, values: Values, suffix: str) -> Path:
        digest = _digest({**self.configuration["defaults"], **_described(values)})
        return self.folder / "cells" / f"{self._numbered.get(digest, digest)}{suffix}"

    def _refuse(self, there: dict[str, Any]) -> None:
        """Raise ValueError naming the fields that differ. A default here may be in the grid there."""
        here = json.loads(json.dumps(self.configuration))
        fields: list[str] = []
        for part in SAME:
            mine, theirs = here.get(part), there.get(part)
            if part == "defaults" and isinstance(mine, dict) and isinstance(theirs, dict):
                shared = mine.keys() & theirs.keys()
                mine, theirs = ({k: v for k, v in one.items() if k in shared} for one in (mine, theirs))
            fields += _differences(theirs, mine, part)
        if fields:
            raise ValueError(
                f"{self.folder} holds a sweep of another configuration: {'; '.join(fields)}. Give out= "
                "another folder, or remove this one."
            )


def spelled(values: dict[str, Any]) -> str:
    """The values of a cell as text: tau=0.1, learner=Greedy."""
    return ", ".join(f"{k}={getattr(v, '__name__', None) or repr(v)}" for k, v in values.items())


def warn(text: str) -> None:
    """Write one line to the standard error."""
    print(f"pgames: {text}", file=sys.stderr)


def _described(values: dict[str, Any]) -> dict[str, Any]:
    return {name: described(value) for name, value in values.items()}


def _differences(there: Any, here: Any, name: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in {**there, **here}:
            yield from _differences(there.get(key), here.get(key), f"{name}.{key}" if name else key)
    elif there != here and not (there != there and here != here):
        yield f"{name} is {json.dumps(there)} there and {json.dumps(here)} now"


def _digest(arguments: dict[str, Any]) -> str:
    """The name of the cell with these arguments, described."""
    text = json.dumps(arguments, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ValueError when it holds none."""
    found = parse_json(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic(path, "w") as file:
        json.dump(content, file, indent=2)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
