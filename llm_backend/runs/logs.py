"""Where the numbers of a run go: log.jsonl, TensorBoard, wandb or trackio on request, and the terminal."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_backend.runs.config import ConfigError, LogSettings
from pgames.files import atomic

Row = dict[str, Any]  # numbers by name; a dictionary inside groups several


class Log:
    """One row a round, in FOLDER/log.jsonl and whatever `settings` asks for.

    Rows of rounds after `t` are forgotten: they belong to rounds that a kill undid and that are done again.
    `lacks` are the rounds up to `t` that have no row, as somebody removed it.
    """

    def __init__(self, folder: Path, settings: LogSettings, t: int, config: Mapping[str, Any]):
        self.path = folder / "log.jsonl"
        kept = [row for row in rows(self.path) if row["round"] <= t]
        self.lacks = sorted(set(range(1, t + 1)) - {row["round"] for row in kept})
        with atomic(self.path, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in kept)
        self._sinks: list[tuple[Callable[[Row, int], Any], Callable[[], Any]]] = []
        if settings.tensorboard:
            self._sinks.append(_tensorboard(folder / "tensorboard", t))
        if settings.wandb:
            self._sinks.append(_wandb(settings.wandb, folder, config))
        if settings.trackio:
            self._sinks.append(_trackio(settings.trackio, folder, config))

    def write(self, row: Row) -> None:
        """Append a row; it is on the disk when this returns."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        flat = {name: value for name, value in flattened(row).items() if name != "round"}
        for send, _ in self._sinks:
            send(flat, row["round"])

    def close(self) -> None:
        """Flush what is buffered elsewhere."""
        for _, close in self._sinks:
            close()


def rows(path: Path) -> list[Row]:
    """The rows of a log; a line torn by a kill is left out."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "round" in row:
            found.append(row)
    return found


def flattened(row: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers by path, as in seconds/fit."""
    out: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            out |= flattened(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            out[prefix + name] = value
    return out


Sink = tuple[Callable[[Row, int], Any], Callable[[], Any]]


def _tensorboard(folder: Path, t: int) -> Sink:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise _absent("tensorboard") from None
    writer = SummaryWriter(str(folder), purge_step=t + 1 if t else None)

    def send(flat: Row, t: int) -> None:
        for name, value in flat.items():
            writer.add_scalar(name, value, t)
        writer.flush()

    return send, writer.close


def _wandb(project: str, folder: Path, config: Mapping[str, Any]) -> Sink:
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise _absent("wandb") from None
    try:
        run = wandb.init(
            project=project,
            dir=str(folder),
            name=folder.name,
            id=_identity(folder),
            resume="allow",
            config=dict(config),
        )
    except Exception as error:
        raise ConfigError(
            f"log.wandb: wandb cannot start ({_line(error)}): log in, or put WANDB_MODE=offline into the "
            "environment; then pass --resume."
        ) from None
    return lambda flat, t: run.log(flat, step=t), run.finish


def _trackio(project: str, folder: Path, config: Mapping[str, Any]) -> Sink:
    try:
        import trackio  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise _absent("trackio") from None
    try:
        trackio.init(project=project, name=_identity(folder), resume="allow", config=dict(config))
    except Exception as error:
        raise ConfigError(
            f"log.trackio: trackio cannot start ({_line(error)}): mend that or set it to '', then pass "
            "--resume."
        ) from None
    return lambda flat, t: trackio.log(flat, step=t), trackio.finish


def _identity(folder: Path) -> str:
    """The name under which the trackers know this run and no other, such as egpo-1f3a9c2e."""
    path = folder / "run_id"
    if not path.is_file():
        with atomic(path, "w") as file:
            file.write(f"{re.sub('[^A-Za-z0-9_.-]', '_', folder.name)}-{uuid.uuid4().hex[:8]}")
    return path.read_text(encoding="utf-8").strip()


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _absent(package: str) -> ConfigError:
    off = "false" if package == "tensorboard" else '""'
    return ConfigError(f"log.{package} is on but {package} is not installed: install it, or set it to {off}.")


# -- the terminal ---------------------------------------------------------------------------------------

COLUMNS = {
    "win rate": lambda row: _estimate(row.get("win_rate_reference")),
    "gap >=": lambda row: _estimate(row.get("exploitability")),
    "KL": lambda row: _estimate(row.get("kl_reference")),
    "loss": lambda row: _number(row.get("loss")),
    "tokens/s": lambda row: _number(row.get("tokens_per_second")),
    "length": lambda row: _number(row.get("length")),
    "truncated": lambda row: _number(row.get("truncated")),
}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _estimate(value: Mapping[str, float] | None) -> str:
    return "" if value is None else f"{value['mean']:.3f} ± {value['margin']:.3f}"


@contextmanager
def shown(solver: str, rounds: int, done: int) -> Iterator[Callable[[Row | None, str], None]]:
    """Yield `show(row, phase)`: the phase under way on a bar, a line per finished round."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns, TextColumn("{task.fields[phase]}"), console=console, disable=not sys.stderr.isatty()
    )
    begun = time.monotonic()

    def show(row: Row | None, phase: str = "") -> None:
        bar.update(task, phase=phase)
        if row is not None:
            told = ((name, read(row)) for name, read in COLUMNS.items())
            line = "  ".join(f"{name} {value}" for name, value in told if value)
            console.print(
                f"round {row['round']}/{rounds}  {line}  {time.monotonic() - begun:.1f} s", soft_wrap=True
            )
            bar.update(task, completed=row["round"])

    with bar:
        task = bar.add_task(solver, total=rounds, completed=done, phase="")
        yield show
