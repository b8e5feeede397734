"""What a run fixes and says about how its prompts are read: the clock of chat templates, and warnings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from llm_backend.data import CLOCK, DataWarning
from llm_backend.processes.workers import workers
from llm_backend.runs.errors import ConfigError, say
from pgames.files import atomic, parse_json

STARTED = "started.json"  # the time at which a run began, which its chat templates see to its end


def set_clock(folder: Path) -> None:
    """Set the clock of chat templates to the start of the run in the folder, or to now when it has none.

    Raises ConfigError when the file of the start is damaged.
    """
    CLOCK.now = workers().once(lambda: _started(folder / STARTED))


def keep_clock(folder: Path) -> None:
    """Write the time of the clock into the folder of a run that has none."""
    if not (folder / STARTED).exists():
        with atomic(folder / STARTED, "w") as file:
            json.dump({"started": CLOCK.now.isoformat()}, file)


def _started(path: Path) -> datetime:
    try:
        return datetime.fromisoformat(parse_json(path.read_text(encoding="utf-8"))["started"])
    except FileNotFoundError:
        return datetime.now()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is damaged ({error}): delete it, or set run.out to another folder."
        ) from None


@contextmanager
def said() -> Iterator[None]:
    """Say warnings about prompts in a line each, once for all processes."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", DataWarning)
        yield
    for text in dict.fromkeys(str(one.message) for one in found if issubclass(one.category, DataWarning)):
        if workers().first:
            say(text)
    for one in found:
        if not issubclass(one.category, DataWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
