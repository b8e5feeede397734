"""Figures of the theory, one script each: `python -m paper_figures.fig1_exponential [--full | --toy]`."""
