"""sweep: one simulation for every cell of a grid, over processes, each result on disk as soon as it is there.

A folder holds `sweep.json`, the exact configuration, and for every finished cell `cells/NNNN.npz`, the
RegretCurve, and `cells/NNNN.json`, which names the cell, the configuration, the versions and the digest of
the curve's bytes. A cell counts as finished once its .json is there, which is written last.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import itertools
import json
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pgames
from pgames import progress
from pgames.files import atomic
from pgames.regret.curve import RegretCurve
from pgames.sweeps.fingerprint import code_digest, constants, described, named, source_digest

POLL = 0.2  # seconds between two looks at what is finished
VERSIONED = ("numpy", "numba", "llvmlite")


class Cell(NamedTuple):
    """The values of one cell of the grid, by name, and its curve."""

    values: dict[str, Any]
    curve: RegretCurve


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """All cells of a grid, in the grid's order; `computed` counts those that this call had to compute."""

    cells: list[Cell]
    folder: Path
    computed: int

    def __repr__(self) -> str:
        return f"Sweep({len(self.cells)} cells in {self.folder}, {self.computed} computed now)"

    def curves(self, by: str, where: Mapping[str, Any] | None = None) -> dict[Any, RegretCurve]:
        """The curves by the value of one field, where the other fields have the values in `where`.

        sweep.curves("tau", {"learner": pg.Greedy}) is what `pg.growth` takes.
        """
        fixed = where or {}
        names = self.cells[0].values
        if unknown := {by, *fixed} - set(names):
            raise ValueError(f"the grid has no field {', '.join(sorted(unknown))}, only {', '.join(names)}.")
        chosen = [cell for cell in self.cells if all(cell.values[name] == fixed[name] for name in fixed)]
        found = {cell.values[by]: cell.curve for cell in chosen}
        if len(found) < len(chosen):
            free = ", ".join(name for name in names if name != by and name not in fixed)
            raise ValueError(f"several cells have the same {by}: say in `where` which {free}.")
        return found


def sweep(
    grid: Mapping[str, Sequence[Any]],
    simulate: Callable[..., RegretCurve],
    out: str | os.PathLike[str],
    n_jobs: int | None = None,
) -> Sweep:
    """simulate(**cell) for every cell of a grid, resuming what `out` already has.

        def cell(tau, learner, rounds=100_000, seeds=200, seed=0):
            return pg.simulate(learner(tau), pg.games.hidden_rps(tau), rounds, seeds, seed=seed)

        pg.sweep({"tau": [0.1, 0.05], "learner": [pg.ENPO, pg.Greedy]}, simulate=cell, out="runs/", n_jobs=2)

    Parameters
    ----------
    grid : values to combine, by the name of the parameter of `simulate`: numbers, text, learners, games.
    simulate : a function with a name. Its parameters outside the grid have defaults, which are recorded too.
    out : a folder, seen by all workers. Finished cells are read from it and never computed again; a cell
        whose file is damaged is computed again, which is said on the standard error. A folder of another
        configuration (grid, defaults, code of `simulate`, versions) is refused: ValueError names the field.
    n_jobs : how many processes; loky's, started afresh with one thread each. Inside
        `joblib.parallel_config(backend="ray")` (or "dask") cells run there instead.

    Ctrl-C keeps what is finished; so does a kill, which loses the cells in flight.
    """
    values = _cells(grid)
    configuration = _configuration(grid, simulate)
    folder = Path(out).absolute()
    if n_jobs == 0:
        raise ValueError("n_jobs must be at least 1, or -1 for one per processor, got 0.")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a folder is needed: pass another out=.")
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    _claim(folder, configuration)
    paths = [folder / "cells" / f"{i:04d}" for i in range(len(values))]
    found = {i: _load(path, configuration, values[i]) for i, path in enumerate(paths)}
    missing = [i for i, curve in found.items() if curve is None]
    _mention_edits([path for i, path in enumerate(paths) if i not in missing])
    if missing:
        todo = [(simulate, values[i], configuration, paths[i]) for i in missing]
        with _watched([paths[i] for i in missing], len(paths)):
            _compute(todo, n_jobs)
        found |= {i: _load(paths[i], configuration, values[i]) for i in missing}
    cells = [Cell(value, curve) for value, curve in zip(values, found.values(), strict=True) if curve]
    if len(cells) < len(values):
        raise OSError(f"{folder} lost cells while they were computed: is it one folder for all workers?")
    return Sweep(cells, folder, len(missing))


# -- what is computed ------------------------------------------------------------------------------------


def _cells(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) == 0:
            raise ValueError(f"grid: {name} must be a list of at least one value, got {values!r}.")
        if len({json.dumps(described(value)) for value in values}) < len(values):
            raise ValueError(f"grid: {name} has a value twice, in {values!r}.")
    if not grid:
        raise ValueError("grid has no field: pass {'tau': [0.1, 0.05]}, by the parameters of simulate.")
    return [dict(zip(grid, combination, strict=True)) for combination in itertools.product(*grid.values())]


def _configuration(grid: Mapping[str, Sequence[Any]], simulate: Callable[..., Any]) -> dict[str, Any]:
    """Everything that the results depend on, as JSON."""
    name, parameters = named(simulate), inspect.signature(simulate).parameters
    if unknown := [field for field in grid if field not in parameters]:
        raise ValueError(f"{name} has no parameter {unknown[0]}, it has {', '.join(parameters)}.")
    others = {p.name: p for p in parameters.values() if p.name not in grid}
    if bare := [p.name for p in others.values() if p.default is p.empty]:
        raise ValueError(f"{name} needs {bare[0]}: put it in the grid, or give it a default.")
    return {
        "grid": {field: [described(value) for value in values] for field, values in grid.items()},
        "defaults": {p.name: described(p.default) for p in others.values()},
        "simulate": {"name": name, "code": code_digest(simulate), "constants": constants(simulate)},
        "versions": {
            "python": platform.python_version(),
            "pgames": pgames.__version__,
            **{package: importlib.metadata.version(package) for package in VERSIONED},
        },
    }


def _compute(todo: list[tuple[Any, ...]], n_jobs: int | None) -> None:
    from joblib import Parallel, delayed, parallel_config
    from joblib.parallel import get_active_backend

    backend: Any = get_active_backend()[0]
    one_thread: Any = {"backend": "loky", "inner_max_num_threads": 1}
    jobs: Any = {} if n_jobs is None else {"n_jobs": n_jobs}  # else those of joblib.parallel_config
    with parallel_config(**one_thread) if backend.supports_inner_max_num_threads else nullcontext():
        Parallel(batch_size=1, max_nbytes=None, **jobs)(delayed(_work)(*one) for one in todo)  # type: ignore


def _work(
    simulate: Callable[..., RegretCurve], values: dict[str, Any], configuration: dict[str, Any], path: Path
) -> None:
    """Compute a cell and write it; runs in a worker."""
    begun = time.process_time()
    patience, progress.PATIENCE = progress.PATIENCE, math.inf  # the sweep's bar is enough
    try:
        curve = simulate(**values)
    except Exception as error:
        error.add_note(f"in the cell {_told(values)}")
        raise
    finally:
        progress.PATIENCE = patience
    if not isinstance(curve, RegretCurve):
        raise TypeError(f"{named(simulate)} must return a RegretCurve, got {type(curve).__name__}.")
    if curve.stopped:
        raise KeyboardInterrupt  # simulate keeps part of a curve at Ctrl-C, a sweep keeps whole ones
    curve.save(path.with_suffix(".npz"))
    manifest = {
        "cell": {name: described(value) for name, value in values.items()},
        "configuration": configuration,
        "sources": source_digest(Path(pgames.__file__).parent),
        "sha256": _sha256(path.with_suffix(".npz")),
        "cpu_seconds": round(time.process_time() - begun, 3),
    }
    _write(path.with_suffix(".json"), manifest)


# -- what is on disk -------------------------------------------------------------------------------------


def _claim(folder: Path, configuration: dict[str, Any]) -> None:
    """Refuse a folder of another configuration; else note down this one."""
    path = folder / "sweep.json"
    if path.is_file():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(there, dict):
                raise ValueError
        except ValueError:
            _say(f"{path} is damaged; writing it again.")
        else:
            return _refuse(folder, there, configuration)
    _write(path, configuration)


def _load(path: Path, configuration: dict[str, Any], values: dict[str, Any]) -> RegretCurve | None:
    """The curve of a finished cell; None, with a word on the standard error if it is damaged, otherwise."""
    manifest, data = path.with_suffix(".json"), path.with_suffix(".npz")
    if not manifest.is_file():
        return None
    try:
        noted = json.loads(manifest.read_text(encoding="utf-8"))
        there, cell, digest = noted["configuration"], noted["cell"], noted["sha256"]
        if not data.is_file():
            raise ValueError(f"{data.name} is missing")
        if _sha256(data) != digest:
            raise ValueError(f"{data.name} is not what was written")
    except (ValueError, KeyError, TypeError) as error:
        _say(f"cell {_told(values)} is damaged ({manifest}: {error}); computing it again.")
        return None
    _refuse(path.parent.parent, there, configuration)
    _refuse(path.parent.parent, cell, {name: described(value) for name, value in values.items()})
    return RegretCurve.load(data)


def _mention_edits(finished: list[Path]) -> None:
    now = source_digest(Path(pgames.__file__).parent)
    made = [json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in finished]
    if edited := sum(manifest.get("sources") != now for manifest in made):
        _say(
            f"{edited} cells in {finished[0].parent} are older than an edit of pgames {pgames.__version__}'s "
            "sources; remove the folder if that edit matters to them."
        )


def _refuse(folder: Path, there: Any, here: Any) -> None:
    """ValueError that names the fields which differ, if any do."""
    fields = list(_differences(there, json.loads(json.dumps(here)), ""))
    if fields:
        raise ValueError(
            f"{folder} holds a sweep of another configuration: {'; '.join(fields)}. Give out= another "
            "folder, or remove this one."
        )


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


# -- what is said ----------------------------------------------------------------------------------------


@contextmanager
def _watched(paths: list[Path], total: int) -> Iterator[None]:
    """A bar of finished cells with the rate and the time left, read off the folder, whoever computes them."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    bar = Progress(TextColumn("cells"), *columns, console=Console(stderr=True))
    begun, over = time.monotonic(), threading.Event()
    task = bar.add_task("cells", total=total, completed=total - len(paths), rate="")

    def watch() -> None:
        while not over.wait(POLL):
            show()

    def show() -> None:
        done = sum(path.with_suffix(".json").is_file() for path in paths)
        rate = 60 * done / (time.monotonic() - begun)
        bar.update(task, completed=total - len(paths) + done, rate=f"{rate:.3g} a minute" if done else "")

    thread = threading.Thread(target=watch, daemon=True)
    with bar:
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            show()


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"pgames: {text}")


def _told(values: dict[str, Any]) -> str:
    return ", ".join(f"{k}={getattr(v, '__name__', None) or repr(v)}" for k, v in values.items())
