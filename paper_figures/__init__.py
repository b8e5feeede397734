"""Figures of the theory, each a script: `python -m paper_figures.fig1_exponential [--full | --toy]`."""
