"""Redraw every figure: `python -m paper_figures [NAME ...] [--full | --toy] [--out FOLDER]`.

`--thumbnails` redraws the pictures of the gallery, each in the setting that its caption names.
"""

import argparse
import importlib

from paper_figures.figures import FIGURES, QUICK
from paper_figures.gallery import main

parser = argparse.ArgumentParser(prog="python -m paper_figures")
parser.add_argument("names", nargs="*", metavar="NAME", help="figures to draw, such as fig7_spirals (all)")
parser.add_argument("--thumbnails", action="store_true", help="redraw the pictures of the gallery")
options, others = parser.parse_known_args()
if unknown := sorted(set(options.names) - set(FIGURES)):
    parser.error(f"there is no figure {', '.join(unknown)}: name some of {', '.join(FIGURES)}")
for name in options.names or FIGURES:
    setting = ["--thumbnail", *([] if name in QUICK else ["--full"])] if options.thumbnails else []
    main(name, importlib.import_module(f"paper_figures.{name}").draw, [*others, *setting])
