"""A figure that shows itself in notebooks and in scripts, without the global state of pyplot."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import matplotlib
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.registry import backend_registry
from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A matplotlib Figure that a notebook draws, and whose `show` opens a window or draws it in a cell."""

    encode: Callable[[Figure, str, int], bytes]  # set on every figure: its bytes as a "png"

    def _repr_png_(self) -> bytes:
        return self.encode(self, "png", 110)

    def show(self, warn: bool = True) -> None:
        """Show the figure: in a notebook under the cell, in a script in a window, until that is closed.

        Without a screen it warns, unless `warn` is False, and says how to write a file instead.
        """
        if _in_notebook():
            from IPython.display import display  # type: ignore[import-not-found]

            display(self)
            return
        backend = matplotlib.get_backend()
        canvas = backend_registry.load_backend_module(backend).FigureCanvas
        if canvas.required_interactive_framework is None:
            if warn:
                warnings.warn(
                    f"there is no window to show a figure in (backend {backend}): write it with "
                    "pgames.plot.save_figure(figure, 'figure.png').",
                    stacklevel=2,
                )
            return
        import matplotlib.pyplot as plt

        if self.canvas.manager is None:
            manager = canvas.new_manager(self, max(Gcf.figs, default=0) + 1)
            Gcf._set_new_active_manager(manager)
        plt.show()


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return running is not None and hasattr(running, "kernel")
