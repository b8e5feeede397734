"""MatrixRoles: attacks against defences, one of each for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.kernels import blocks, streams
from pgames.roles.tables import check_halves, distributions, frozen, labels, set_fields, success_table

Array = NDArray[np.float64]
SWAPPED = np.array([1, 0])  # each role meets the other one


@dataclass(frozen=True, init=False, eq=False, repr=False)
class MatrixRoles:
    """Attack i succeeds against defence j with probability A[i, j]; one defence stands against all attacks.

    Parameters
    ----------
    A : float64[m, n], in [0, 1].
    attacker, defender : the references, float64[m] and float64[n]; uniform by default. A strategy of
        reference probability 0 is outside the game.
    attacks, defences : m and n names; "attack 0", "defence 0", ... by default.

    With references p0, q0 and weights tau_a, tau_d of the KL the game is zero-sum in
    J(p, q) = p'Aq - tau_a KL(p || p0) + tau_d KL(q || q0), with the equilibrium p = softmax(log p0 +
    A q / tau_a), q = softmax(log q0 - A'p / tau_d), unique for positive weights (`pgames.nash_roles`).

    Raises ValueError, naming the value found and the remedy, when A is not a table of probabilities, a
    reference no distribution, or the names do not fit.
    """

    success: Array
    reference: Array  # float64[2, N]
    attacks: tuple[str, ...]
    defences: tuple[str, ...]
    _skew: Array = field(repr=False)
    _meeting: Array = field(repr=False)

    def __init__(
        self,
        A: ArrayLike,
        attacker: ArrayLike | None = None,
        defender: ArrayLike | None = None,
        attacks: Sequence[str] | None = None,
        defences: Sequence[str] | None = None,
    ):
        table = success_table("A", A, "[m, n]")
        m, n = table.shape
        N = max(m, n)
        reference = np.zeros((2, N))
        reference[0, :m] = distributions("attacker", attacker, (m,))
        reference[1, :n] = distributions("defender", defender, (n,))
        skew, meeting = np.zeros((1, 2 * N, 2 * N)), np.zeros((2, N, N))
        skew[0, :m, N : N + n] = meeting[0, :m, :n] = table - 0.5
        skew[0, N : N + n, :m] = meeting[1, :n, :m] = -(table - 0.5).T
        set_fields(
            self,
            {
                "success": frozen(table),
                "reference": frozen(reference),
                "attacks": labels("attacks", attacks, "attack", m),
                "defences": labels("defences", defences, "defence", n),
                "_skew": frozen(skew),  # antisymmetric: one product gives the rates of both roles
                "_meeting": frozen(meeting),  # per role, its own strategy first
            },
        )

    @property
    def support(self) -> NDArray[np.bool_]:
        """bool[2, N]: the strategies that are in the game."""
        return self.reference > 0

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), the numbers of attacks and of defences."""
        return (len(self.attacks), len(self.defences))

    def table(self, attacker: ArrayLike, defender: ArrayLike) -> Array:
        """float64[..., 2, N] from probabilities float64[..., m] of attacks and float64[..., n] of defences.

        Raises ValueError when the last axis of either has another length.
        """
        p, q = check_halves(self.shape, attacker, defender, axes=1)
        out = np.zeros((*np.broadcast_shapes(p.shape[:-1], q.shape[:-1]), *self.reference.shape))
        out[..., 0, : p.shape[-1]], out[..., 1, : q.shape[-1]] = p, q
        return out

    def halves(self, table: Array) -> tuple[Array, Array]:
        """The attacker's part float64[..., m] and the defender's float64[..., n] of float64[..., 2, N]."""
        m, n = self.shape
        return table[..., 0, :m], table[..., 1, :n]

    def rates(self, opponent: Array) -> Array:
        """float64[S, 2, N]: the success of each strategy against the other role of log-probabilities."""
        S, _, N = opponent.shape
        return blocks.win_rates(self._skew, opponent.reshape(S, 1, 2 * N)).reshape(S, 2, N)

    def sampled_rates(self, opponent: Array, samples: int, seed: int, first_run: int, t: int) -> Array:
        """`rates`, each the mean of `samples` verdicts on draws of the other role: float64[S, 2, N]."""
        facing = np.ascontiguousarray(opponent[:, SWAPPED])
        meeting = np.ascontiguousarray(-np.swapaxes(self._meeting, 1, 2))
        return streams.sampled_win_rates(meeting, facing, samples, seed, first_run, t)

    def sampled_wins(
        self, first: Array, second: Array, samples: int, seed: int, first_run: int, t: int
    ) -> Array:
        """Shares of `samples` meetings that each role of `first` wins against `second`: float64[S, 2]."""
        facing = np.ascontiguousarray(second[:, SWAPPED])
        return streams.sampled_win_rate(self._meeting, first, facing, samples, seed, first_run, t)

    def visits(self, policy: Array) -> Array:
        """How often each context is met: float64[S, 2] of ones."""
        return np.ones(policy.shape[:2])

    def __repr__(self) -> str:
        return f"MatrixRoles(attacks={self.shape[0]}, defences={self.shape[1]})"
