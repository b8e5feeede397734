"""RegretCurve: the regret of one learner over seeds, and what can be read off it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgames.files import atomic

Array = NDArray[np.float64]
FIELDS = ("rounds", "regret", "gap", "external", "average_gap", "bits")


@dataclass(frozen=True, eq=False, repr=False)
class RegretCurve:
    """Sums over rounds, recorded at `rounds` int64[R], for S runs.

    regret float64[S, R] : sum_t gap(pi_t); gap : of the policy played at that round; external : the regret
    against the best fixed policy, at most `regret`; average_gap : gap of the average policy, at most
    external / T; bits int64[R] : judgements asked for by one run.
    """

    learner: str
    tau: float
    rounds: NDArray[np.int64]
    regret: Array
    gap: Array
    external: Array
    average_gap: Array
    bits: NDArray[np.int64]
    stopped: bool = False

    @property
    def seeds(self) -> int:
        """Number of runs S."""
        return len(self.regret)

    def __repr__(self) -> str:
        final = self.regret[:, -1]
        error = final.std() / np.sqrt(self.seeds)
        regret = f"Reg={final.mean():.4g} ± {error:.2g}"
        return f"RegretCurve({self.learner}, T={self.rounds[-1]}, seeds={self.seeds}, {regret})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one .npz file, atomically."""
        meta = json.dumps({"learner": self.learner, "tau": self.tau, "stopped": self.stopped})
        arrays = {name: getattr(self, name) for name in FIELDS}
        with atomic(path) as file:
            np.savez(file, allow_pickle=False, meta=np.array(meta), **arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> RegretCurve:
        """Read what `save` wrote. Raises ValueError when the file is cut short or no such file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return RegretCurve(**json.loads(str(file["meta"])), **{name: file[name] for name in FIELDS})
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, EOFError, TypeError) as error:
            raise ValueError(f"{path} is not a saved regret curve, or cut short: {error}.") from None
