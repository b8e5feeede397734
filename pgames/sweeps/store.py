"""Store: the folder of a sweep, which keeps finished cells and refuses other configurations.

A folder holds `sweep.json`, the exact configuration, and for every finished cell `cells/NNNN.npz`, the Curve,
and `cells/NNNN.json`, which names the cell, the configuration, the versions and the digest of the curve's
bytes. A cell counts as finished once its .json exists, which is written last.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgames.curves import Curve
from pgames.files import atomic, parse_json, remove_leftovers
from pgames.sweeps.fingerprint import described, source_digest
from pgames.version import __version__

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Store:
    """The cells of one configuration in one folder."""

    folder: Path
    configuration: dict[str, Any]

    def claim(self) -> None:
        """Create the folder and write the configuration to it.

        Raises ValueError when it is a file, or the folder of another configuration.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file, and a folder is needed: pass another out=.")
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, self.folder / "cells"):
            remove_leftovers(folder)
        path = self.folder / "sweep.json"
        if path.is_file():
            try:
                there = parse_json(path.read_text(encoding="utf-8"))
                if not isinstance(there, dict):
                    raise ValueError
            except ValueError:
                warn(f"{path} is damaged; writing it again.")
            else:
                return self._refuse(there, self.configuration)
        _write(path, self.configuration)

    def finished(self, i: int) -> bool:
        """Whether cell i has been written."""
        return self._path(i, ".json").is_file()

    def load(self, i: int, values: dict[str, Any]) -> Curve | None:
        """The curve of cell i; None when it is not finished, or when it is damaged, with a warning.

        Raises ValueError when the cell belongs to another configuration.
        """
        manifest, data = self._path(i, ".json"), self._path(i, ".npz")
        if not manifest.is_file():
            return None
        try:
            about = parse_json(manifest.read_text(encoding="utf-8"))
            there, cell, digest = about["configuration"], about["cell"], about["sha256"]
            if not data.is_file():
                raise ValueError(f"{data.name} is missing")
            if _sha256(data) != digest:
                raise ValueError(f"{data.name} differs from its digest")
        except (ValueError, KeyError, TypeError) as error:
            warn(f"cell {spelled(values)} is damaged ({manifest}: {error}); computing it again.")
            return None
        self._refuse(there, self.configuration)
        self._refuse(cell, _described(values))
        return Curve.load(data)

    def save(self, i: int, values: dict[str, Any], curve: Curve, cpu_seconds: float) -> None:
        """Write the curve of cell i, then its manifest."""
        data = self._path(i, ".npz")
        curve.save(data)
        manifest = {
            "cell": _described(values),
            "configuration": self.configuration,
            "sources": source_digest(PACKAGE),
            "sha256": _sha256(data),
            "cpu_seconds": round(cpu_seconds, 3),
        }
        _write(self._path(i, ".json"), manifest)

    def warn_of_edits(self, finished: list[int]) -> None:
        """Warn when cells were computed before an edit of the sources of pgames."""
        now = source_digest(PACKAGE)
        made = [parse_json(self._path(i, ".json").read_text(encoding="utf-8")) for i in finished]
        if edited := sum(manifest.get("sources") != now for manifest in made):
            warn(
                f"{edited} cells in {self.folder / 'cells'} are older than an edit of pgames {__version__}'s "
                "sources; remove the folder if that edit matters to them."
            )

    def _path(self, i: int, suffix: str) -> Path:
        return self.folder / "cells" / f"{i:04d}{suffix}"

    def _refuse(self, there: Any, here: Any) -> None:
        """Raise ValueError naming the fields that differ, if any do."""
        fields = list(_differences(there, json.loads(json.dumps(here)), ""))
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


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic(path, "w") as file:
        json.dump(content, file, indent=2)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
