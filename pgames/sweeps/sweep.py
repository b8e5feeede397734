"""sweep: one simulation per cell of a grid, over processes; each curve is written when it is finished."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgames.curves import Curve
from pgames.extras import need
from pgames.files import as_path
from pgames.folders import check_writable
from pgames.frames import Kind, apart, frame
from pgames.numerics import whole
from pgames.progress import progress, silent
from pgames.sweeps.fingerprint import described, named
from pgames.sweeps.grid import cells, configuration
from pgames.sweeps.store import Store, spelled

POLL = 0.2  # seconds between two counts of the finished cells


class Cell(NamedTuple):
    """The values of one cell of the grid, by name, and its curve."""

    values: dict[str, Any]
    curve: Curve


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """All cells of a grid, in the grid's order; `computed` counts the cells that this call computed."""

    cells: list[Cell]
    folder: Path
    computed: int

    def __repr__(self) -> str:
        return f"Sweep({len(self.cells)} cells in {self.folder}, {self.computed} computed now)"

    def to_frame(self, kind: Kind | None = None) -> Any:
        """A data frame with a row for each cell, run and recorded round: its values, then its quantities.

        Values that are not numbers are written as text, and a quantity that a cell did not record is NaN. A
        field of the grid that is called run or round, or as a quantity, becomes "run (cell)".

        Raises ValueError for another kind than pandas or polars, and ModuleNotFoundError when narwhals or the
        library is missing.
        """
        tables = [curve.values.items() for _, curve in self.cells]
        quantities = dict.fromkeys(name for table in tables for name, value in table if value.ndim == 2)
        columns: dict[str, list[Any]] = {}
        fields = apart(self.cells[0].values, ("run", "round", *quantities), "cell")
        for values, curve in self.cells:
            S, R = curve.seeds, len(curve.rounds)
            rows = {fields[name]: [_plain(value)] * (S * R) for name, value in values.items()}
            rows |= {"run": np.repeat(np.arange(S), R).tolist(), "round": curve.rounds.tolist() * S}
            nothing = np.full((S, R), np.nan)
            rows |= {
                own: curve.values.get(name, nothing).ravel().tolist()
                for name, own in apart(quantities, ("run", "round"), "quantity").items()
            }
            for name, column in rows.items():
                columns.setdefault(name, []).extend(column)
        return frame(columns, kind)

    def curves(self, by: str, where: Mapping[str, Any] | None = None) -> dict[Any, Curve]:
        """The curves by the value of one field, where the other fields have the values in `where`.

        `pg.growth` takes sweep.curves("tau", {"learner": pg.Greedy}). Raises ValueError when the grid has no
        such field, or several cells have the same value of it.
        """
        fixed = {} if where is None else where
        names = self.cells[0].values
        if not isinstance(fixed, Mapping):
            raise ValueError(f"where must be a dict of values by field, got {where!r:.60}.")
        if unknown := [str(name) for name in (by, *fixed) if not isinstance(name, str) or name not in names]:
            raise ValueError(f"the grid has no field {', '.join(sorted(unknown))}, only {', '.join(names)}.")
        wanted = {name: described(value) for name, value in fixed.items()}
        for name, value in wanted.items():
            there = [described(cell.values[name]) for cell in self.cells]
            if value not in there:
                shown = dict.fromkeys(spelled({"": cell.values[name]})[1:] for cell in self.cells)
                raise ValueError(
                    f"no cell has {spelled({name: fixed[name]})}: the grid has {', '.join(shown)}."
                )
        chosen = [
            cell
            for cell in self.cells
            if all(described(cell.values[name]) == value for name, value in wanted.items())
        ]
        try:
            found = {cell.values[by]: cell.curve for cell in chosen}
        except TypeError:  # values that cannot be keys, such as lists
            found = {spelled({"": cell.values[by]})[1:]: cell.curve for cell in chosen}
        if len(found) < len(chosen):
            free = ", ".join(name for name in names if name != by and name not in fixed)
            raise ValueError(f"several cells have the same {by}: fix {free} in `where`.")
        return found


def _plain(value: Any) -> Any:
    """A number or text as it is, anything else as text."""
    return value if isinstance(value, bool | int | float | str) else spelled({"": value})[1:]


def sweep(
    grid: Mapping[str, Sequence[Any]],
    simulate: Callable[..., Curve],
    out: str | os.PathLike[str],
    n_jobs: int | None = None,
) -> Sweep:
    """simulate(**cell) for every cell of a grid; cells that `out` already holds are read from it.

    A sweep grows: with one more tau, or one more parameter in the grid, only the new cells are computed.

        def cell(tau, learner, rounds=100_000, seeds=200, seed=0):
            return pg.simulate(learner(tau), pg.games.hidden_rps(tau), rounds, seeds, seed=seed)

        pg.sweep({"tau": [0.1, 0.05], "learner": [pg.ENPO, pg.Greedy]}, simulate=cell, out="runs/", n_jobs=2)

    Ctrl-C and kill -9 lose only the cells in flight.

    Raises ValueError when the grid, `simulate` or n_jobs is unusable, or `out` holds cells of another meaning
    (defaults, code of `simulate`, versions), whose differing fields are named; TypeError
    when `simulate` returns no Curve; OSError when cells are lost.

    Parameters
    ----------
    grid : values to combine, by the name of the parameter of `simulate`: numbers, text, learners, games.
    simulate : a function with a name that returns a Curve, by `pg.simulate` or `pg.run`. Its parameters
        outside the grid need defaults, which are recorded too.
    out : a folder that all workers see. A cell whose file is damaged is computed again, with a warning on the
        standard error.
    n_jobs : number of processes, started afresh by loky with one thread each. Inside
        `joblib.parallel_config(backend="ray")` (or "dask") cells run there instead.
    """
    todo = cells(grid)
    store = Store(as_path(out).absolute(), configuration(grid, simulate))
    if n_jobs is not None and (not whole(n_jobs) or n_jobs == 0):
        raise ValueError(f"n_jobs must be at least 1, or -1 for one per processor, got {n_jobs!r:.60}.")
    store.claim()
    found = {i: store.load(values) for i, values in enumerate(todo)}
    missing = [i for i, curve in found.items() if curve is None]
    if missing:
        check_writable(store.folder / "cells")
    store.warn_of_edits([todo[i] for i, curve in found.items() if curve is not None])
    if missing:
        with _watched(store, [todo[i] for i in missing], len(todo)):
            _compute([(simulate, store, todo[i]) for i in missing], n_jobs)
        found |= {i: store.load(todo[i]) for i in missing}
    done = [Cell(values, curve) for values, curve in zip(todo, found.values(), strict=True) if curve]
    if len(done) < len(todo):
        raise OSError(
            f"{store.folder} lost cells while they were computed: check that all workers see this folder."
        )
    return Sweep(done, store.folder, len(missing))


def _compute(todo: list[tuple[Any, ...]], n_jobs: int | None) -> None:
    """Call _work for every task on joblib's active backend: by default this process, or loky's processes."""
    joblib = need("joblib", "sweep")
    backend: Any = joblib.parallel.get_active_backend()[0]
    one_thread: Any = {"backend": "loky", "inner_max_num_threads": 1}
    jobs: Any = {} if n_jobs is None else {"n_jobs": n_jobs}  # None: those of joblib.parallel_config
    with joblib.parallel_config(**one_thread) if backend.supports_inner_max_num_threads else nullcontext():
        joblib.Parallel(batch_size=1, max_nbytes=None, **jobs)(joblib.delayed(_work)(*one) for one in todo)


def _work(simulate: Callable[..., Curve], store: Store, values: dict[str, Any]) -> None:
    """Compute a cell and write it; runs in a worker."""
    begun = time.process_time()
    try:
        with silent():  # the sweep has its own bar
            curve = simulate(**values)
    except Exception as error:
        error.add_note(f"in the cell {spelled(values)}")
        raise
    if not isinstance(curve, Curve):
        raise TypeError(f"{named(simulate)} must return a Curve, got {type(curve).__name__}.")
    if curve.stopped:
        raise KeyboardInterrupt  # simulate returns part of a curve after Ctrl-C; a sweep keeps none
    store.save(values, curve, time.process_time() - begun)


@contextmanager
def _watched(store: Store, missing: list[dict[str, Any]], total: int) -> Iterator[None]:
    """A bar of finished cells and their rate, counted in the folder, where every process writes them."""
    before, begun, ended = total - len(missing), time.monotonic(), threading.Event()
    with progress("cells", total, done=before) as bar:
        if not bar.watched:
            yield
            return

        def show() -> None:
            done = sum(map(store.finished, missing))
            rate = 60 * done / (time.monotonic() - begun)
            bar(before + done, f"{rate:.3g} a minute" if done else "")

        def watch() -> None:
            while not ended.wait(POLL):
                show()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            show()
