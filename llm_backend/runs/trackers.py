"""TensorBoard, wandb and trackio: each takes the numbers of a round by name."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from llm_backend.runs.config import LogSettings
from llm_backend.runs.errors import ConfigError
from pgames.files import atomic

Numbers = Mapping[str, float]  # by path, as in seconds/fit


class Tracker(NamedTuple):
    """A tracker as two functions: `send` the numbers of a round, and `close`."""

    send: Callable[[Numbers, int], object]
    close: Callable[[], object]


def trackers(settings: LogSettings, folder: Path, t: int, config: Mapping[str, object]) -> list[Tracker]:
    """The trackers that `settings` asks for, continuing after round `t`.

    Raises ConfigError for one that is not installed or does not start.
    """
    found: list[Tracker] = []
    if settings.tensorboard:
        found.append(_tensorboard(folder / "tensorboard", t))
    if settings.wandb:
        found.append(_wandb(settings.wandb, folder, config))
    if settings.trackio:
        found.append(_trackio(settings.trackio, folder, config))
    return found


def _tensorboard(folder: Path, t: int) -> Tracker:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise _absent("tensorboard") from None
    writer = SummaryWriter(str(folder), purge_step=t + 1 if t else None)

    def send(numbers: Numbers, t: int) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, t)
        writer.flush()

    return Tracker(send, writer.close)


def _wandb(project: str, folder: Path, config: Mapping[str, object]) -> Tracker:
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
    return Tracker(lambda numbers, t: run.log(dict(numbers), step=t), run.finish)


def _trackio(project: str, folder: Path, config: Mapping[str, object]) -> Tracker:
    try:
        import trackio  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise _absent("trackio") from None
    try:
        trackio.init(project=project, name=_identity(folder), resume="allow", config=dict(config))
    except Exception as error:
        raise ConfigError(
            f"log.trackio: trackio cannot start ({_line(error)}): repair this or set it to '', then pass "
            "--resume."
        ) from None
    return Tracker(lambda numbers, t: trackio.log(dict(numbers), step=t), trackio.finish)


def _identity(folder: Path) -> str:
    """The name that identifies this run to the trackers, such as egpo-1f3a9c2e."""
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
