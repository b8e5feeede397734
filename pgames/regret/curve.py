"""RegretCurve: the regret of one learner over seeds, and what can be read off it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.files import atomic, read_npz
from pgames.regret import fit
from pgames.regret.fit import LogFit, Slope, Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgames.bounds import Bound

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

    # -- over seeds -------------------------------------------------------------------------------------

    def summary(self, seed: int = 0) -> Summary:
        """Mean with its bootstrap interval (drawn by `seed`), median, quantiles, at every recorded round."""
        return fit.summary(self.rounds, self.bits, self.regret, seed)

    def at(self, rounds: ArrayLike, seed: int = 0) -> Summary:
        """The summary after int[N] rounds: regret and bits are linear between recorded rounds."""
        wanted = np.atleast_1d(np.asarray(rounds, dtype=np.int64))
        bits = np.interp(wanted, self.rounds, self.bits).astype(np.int64)
        return fit.summary(wanted, bits, self.regret_at(wanted), seed)

    def at_bits(self, bits: ArrayLike, seed: int = 0) -> Summary:
        """The summary when int[N] judgements had been asked for: learners at equal cost, not at equal rounds.

        Where a learner asks nothing for a while, the last round with that many.
        """
        wanted = np.atleast_1d(np.asarray(bits, dtype=np.int64))
        if (wanted < self.bits[0]).any() or (wanted > self.bits[-1]).any():
            raise ValueError(
                f"{self.learner} asked for {self.bits[0]} bits in its first round and {self.bits[-1]} in "
                f"all, got {wanted.min()} to {wanted.max()}: compare within, or simulate more rounds."
            )
        i = np.searchsorted(self.bits, wanted, side="right") - 1
        j = np.minimum(i + 1, len(self.bits) - 1)
        step = np.maximum(self.bits[j] - self.bits[i], 1)
        rounds = self.rounds[i] + (wanted - self.bits[i]) * (self.rounds[j] - self.rounds[i]) // step
        return fit.summary(rounds, wanted, self.regret_at(rounds), seed)

    def regret_at(self, rounds: NDArray[np.int64]) -> Array:
        """Regret float64[S, N] after int64[N] rounds, linear between recorded ones."""
        if (rounds < self.rounds[0]).any() or (rounds > self.rounds[-1]).any():
            raise ValueError(
                f"the curve goes from round {self.rounds[0]} to {self.rounds[-1]}, got {rounds.min()} to "
                f"{rounds.max()}: ask within, or simulate more rounds."
            )
        i = np.searchsorted(self.rounds, rounds, side="right") - 1
        j = np.minimum(i + 1, len(self.rounds) - 1)
        share = (rounds - self.rounds[i]) / np.maximum(self.rounds[j] - self.rounds[i], 1)
        return (1 - share) * self.regret[:, i] + share * self.regret[:, j]

    def late_slope(self, seed: int = 0) -> Slope:
        """d ln(mean regret) / d ln(rounds) on the last decade: 1 if linear, 1/2 if sqrt T, to 0 if log T."""
        return fit.late_slope(self.rounds, self.regret, seed)

    def fit_log(self, from_round: int = 1000, seed: int = 0) -> LogFit:
        """mean regret = a + b ln T, fitted to the recorded rounds from `from_round` on."""
        return fit.fit_log(self.rounds, self.regret, from_round, seed)

    def plot(
        self,
        bound: Bound | Sequence[Bound] | None = None,
        by: Literal["rounds", "bits"] = "rounds",
        title: str = "",
    ) -> Figure:
        """Mean with its bootstrap band, median dashed, on logarithmic axes, with bounds drawn over them."""
        from pgames.plot.regret import compare

        return compare(self, by, bound, title=title)

    # -- files ------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one .npz file, atomically."""
        meta = json.dumps({"learner": self.learner, "tau": self.tau, "stopped": self.stopped})
        arrays = {name: getattr(self, name) for name in FIELDS}
        with atomic(path) as file:
            np.savez(file, allow_pickle=False, meta=np.array(meta), **arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> RegretCurve:
        """Read what `save` wrote. Raises ValueError when the file is cut short or no such file."""
        arrays = read_npz(path, "a saved regret curve")
        try:
            return RegretCurve(**json.loads(str(arrays["meta"])), **{name: arrays[name] for name in FIELDS})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a saved regret curve, it lacks {error}.") from None
