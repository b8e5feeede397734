"""How much CPU time compilation takes, and a line when it takes long."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from numba.core import event

PATIENCE = 1.0  # seconds of compilation before the line


class Compiling(event.Listener):
    """Listens to numba: `seconds` of CPU time that compilation of pgames took so far in this process."""

    def __init__(self) -> None:
        self.seconds, self.told = 0.0, False
        self._depth, self._begun = 0, 0.0
        self._timer: threading.Timer | None = None

    def on_start(self, event: Any) -> None:
        """A function begins to be compiled; those that it calls are compiled meanwhile."""
        if not _ours(event):
            return
        self._depth += 1
        if self._depth > 1:
            return
        self._begun = time.process_time()
        if not self.told:
            self._timer = threading.Timer(PATIENCE - self.seconds % PATIENCE, self.tell)
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: Any) -> None:
        """A function has been compiled."""
        if not _ours(event) or self._depth == 0:
            return
        self._depth -= 1
        if self._depth:
            return
        self.seconds += time.process_time() - self._begun
        if self._timer is not None:
            self._timer.cancel()
        if self.seconds > PATIENCE:
            self.tell()

    def tell(self) -> None:
        """Say once, on the standard error, that the wait is for compilation."""
        if not self.told:
            self.told = True
            print("pgames: compiling, once; later calls and later starts are fast.", file=sys.stderr)


def _ours(event: Any) -> bool:
    function = getattr((event.data or {}).get("dispatcher"), "py_func", None)
    return getattr(function, "__module__", "").startswith("pgames.")


compiling = Compiling()
event.register("numba:compile", compiling)
