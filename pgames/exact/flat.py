"""Zero-sum games with many more strategies on one side: linear systems of the size of the small side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.exact.linear import LU, factor_transposed

Array = NDArray[np.float64]


class SmallSide(NamedTuple):
    """I - K = [[I - K_SS, -K_SL], [K_SL', I]] by its Schur complement on S, float64[m + 1, m + 1]."""

    coupling: Array  # K_SL, float64[m + 1, n]
    lu: LU  # of I - K_SS + K_SL K_SL'
    small: NDArray[np.bool_]

    def solve(self, right: Array) -> Array:
        """The solution float64[m + n + 1]."""
        out = np.empty_like(right)
        inner = self.lu.solve(right[self.small] + self.coupling @ right[~self.small])
        out[self.small] = inner
        out[~self.small] = right[~self.small] - self.coupling.T @ inner
        return out


@dataclass(frozen=True, eq=False)
class Embedded:
    """The symmetric game of a zero-sum game B float64[m, n] > 0, m <= n, never written out.

    Its strategies are the m rows, the n columns and one more (Gale, Kuhn and Tucker 1950):

        [[0, B, -1], [-B', 0, 1], [1', -1', 0]].
    """

    B: Array

    def __len__(self) -> int:
        return sum(self.B.shape) + 1

    def __matmul__(self, z: Array) -> Array:
        m = len(self.B)
        x, y, t = z[:m], z[m:-1], z[-1]
        return np.concatenate([self.B @ y - t, t - x @ self.B, [x.sum() - y.sum()]])

    @property
    def widest(self) -> int:
        """The most strategies that a unique equilibrium plays."""
        return 2 * min(self.B.shape) + 1

    def block(self, inside: NDArray[np.bool_]) -> Array:
        """The table float64[k, k] of the strategies inside, bool[m + n + 1]."""
        m = len(self.B)
        B = self.B[np.ix_(inside[:m], inside[m:-1])]
        (r, c), last = B.shape, int(inside[-1])
        out = np.zeros((r + c + last, r + c + last))
        out[:r, r : r + c] = B
        if last:
            out[:r, -1], out[r:-1, -1] = -1, 1
        return out - out.T

    def resolvent(self, d: Array) -> SmallSide:
        """The solver of I - diag(d) A diag(d), d float64[m + n + 1]."""
        m = len(self.B)
        small = np.zeros(len(self), dtype=bool)
        small[:m], small[-1] = True, True
        coupling = np.vstack([d[:m, None] * self.B, np.full(self.B.shape[1], -d[-1])]) * d[m:-1]
        schur = np.eye(m + 1) + coupling @ coupling.T
        schur[:m, -1] += d[:m] * d[-1]
        schur[-1, :m] -= d[:m] * d[-1]
        return SmallSide(coupling, factor_transposed(np.ascontiguousarray(schur.T)), small)
