"""Speed as ratios against a named peer or limit, measured in one run with one thread each."""

import os

for _kind in ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON"):
    os.environ.setdefault(f"{_kind}_NUM_THREADS", "1")  # before NumPy is imported
