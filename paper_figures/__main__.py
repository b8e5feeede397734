"""Redraw every figure: `python -m paper_figures [--full | --toy] [--out FOLDER]`."""

import importlib
import sys

from paper_figures.figures import FIGURES
from paper_figures.gallery import main

for name in FIGURES:
    main(name, importlib.import_module(f"paper_figures.{name}").draw, sys.argv[1:])
