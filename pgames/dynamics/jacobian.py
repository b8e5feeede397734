"""The Jacobian of a solver's round, by central differences in log-probabilities.

The state is the policy and the policies of the memory. Coordinates are log-probabilities on the responses
that the point plays, up to a constant; a response that it does not play has a multiplier of its own, the
factor on a small probability in one round. All differences of a Jacobian are runs of one arena.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import normalise
from pgames.solver import Solver, State
from pgames.table.arena import TableArena
from pgames.tracing.recording import policies, rebuilt

Array = NDArray[np.float64]

STEP = 1e-5  # of a log-probability: the error is STEP ** 2 and 1e-16 / STEP
SEED = 1e-9  # the small probability of a response that the point does not play
PLAYED = 1e-12  # a smaller probability is one that the point does not play
LARGEST = 1500  # coordinates of a state


class Map(NamedTuple):
    """A solver's round as a function of L policies, float64[L, S, X, Y] log-probabilities of S runs."""

    solver: Solver
    arena: Callable[[int], TableArena]
    state: State

    def __call__(self, leaves: Array) -> Array:
        """The policies after one round, in the order of `leaves`.

        Raises TypeError when the step returns no State, and ValueError when its policies have another shape
        or are NaN.
        """
        runs = leaves.shape[1]
        parts = iter(list(leaves[1:]))
        memory = rebuilt(self.state.memory, lambda _: next(parts))
        arena = self.arena(runs)
        after = self.solver.step(arena.at(self.state.t), State(self.state.t, leaves[0], memory))
        if not isinstance(after, State):
            raise TypeError(f"a step must return a State, got {type(after).__name__}.")
        found = [after.policy, *policies(after.memory)]
        if [np.shape(one) for one in found] != [one.shape for one in leaves] or np.isnan(found).any():
            raise ValueError(
                f"a step of {type(self.solver).__name__} returns NaN or another shape, so it has no "
                "fixed point."
            )
        return np.stack(found)


def leaves_of(state: State) -> Array:
    """The policies of a state of one run, float64[L, 1, X, Y]: its policy, then those of the memory.

    Raises TypeError when the memory holds anything but policies, such as regrets or counts.
    """
    found = [state.policy, *policies(state.memory)]
    for leaf in found:
        if np.shape(leaf) != np.shape(state.policy) or abs(np.exp(leaf).sum(axis=-1) - 1).max() > 1e-6:
            raise TypeError(
                "the memory of this solver holds more than policies, so its state has no coordinates here: "
                "measure it by `pgames.run`."
            )
    return np.stack(found)


def tangent(p: Array) -> Array:
    """Orthonormal directions float64[K, X, Y] of the log-probabilities that p float64[X, Y] plays."""
    found = []
    for x, row in enumerate(p):
        inside = np.flatnonzero(row > PLAYED)
        if len(inside) < 2:
            continue
        basis = np.linalg.qr(np.column_stack([np.ones(len(inside)), np.eye(len(inside))[:, 1:]]))[0][:, 1:]
        block = np.zeros((basis.shape[1], *p.shape))
        block[:, x, inside] = basis.T
        found.append(block)
    return np.concatenate(found) if found else np.zeros((0, *p.shape))


def inner_jacobian(step: Map, leaves: Array, basis: Array) -> Array:
    """d coordinates after / d coordinates before, float64[L K, L K], at leaves float64[L, 1, X, Y]."""
    L, K = len(leaves), len(basis)
    if K == 0:
        return np.zeros((0, 0))
    moved = np.repeat(leaves, 2 * L * K, axis=1)
    for i in range(L):
        for k in range(K):
            for sign, run in ((1, 2 * (i * K + k)), (-1, 2 * (i * K + k) + 1)):
                moved[i, run] = normalise(moved[i, run] + sign * STEP * basis[k])
    after = coordinates(step(moved), basis)  # [L, 2 L K, K]
    change = (after[:, 0::2] - after[:, 1::2]) / (2 * STEP)
    return change.transpose(0, 2, 1).reshape(L * K, L * K)


def outer_multipliers(step: Map, leaves: Array, support: NDArray[np.bool_]) -> NDArray[np.complex128]:
    """complex128[M]: the factor per round on the small probability of a response that the point does not
    play."""
    L, p = len(leaves), np.exp(leaves[:, 0])
    values = []
    for x, y in np.argwhere(support & (p[0] <= PLAYED)):
        runs = np.repeat(leaves, L, axis=1)
        for i in range(L):
            row = np.exp(runs[i, i, x]) * (1 - SEED)
            row[y] = SEED
            with np.errstate(divide="ignore"):
                runs[i, i, x] = np.log(row)
        after = np.exp(step(runs)[:, :, x, y]) / SEED  # [L after, L before]
        values += np.linalg.eigvals(after).tolist()
    return np.array(values, dtype=np.complex128)


def coordinates(leaves: Array, basis: Array) -> Array:
    """float64[L, S, K] of log-probabilities float64[L, S, X, Y]; responses outside the basis do not count."""
    used = np.abs(basis).max(axis=0, initial=0.0) > 0
    return np.einsum("lsxy,kxy->lsk", np.where(used, leaves, 0.0), basis)


def settle(step: Map, leaves: Array, basis: Array, rounds: int = 20) -> tuple[Array, float]:
    """(fixed point float64[L, 1, X, Y], the distance that one round moves it), by Newton's method."""
    best, least = leaves, np.inf
    L, K = len(leaves), len(basis)
    for _ in range(rounds):
        after = step(leaves)
        moved = float(np.abs(np.exp(after) - np.exp(leaves)).sum(axis=-1).max() / 2)
        if moved < least:
            best, least = leaves, moved
        elif moved > 0.5 * least:
            break
        if moved < 1e-15 or K == 0:
            break
        error = coordinates(after - _finite(leaves, after), basis)[:, 0].ravel()
        J = inner_jacobian(step, leaves, basis)
        change = np.linalg.lstsq(np.eye(L * K) - J, error, rcond=1e-10)[0].reshape(L, K)
        shift = np.einsum("lk,kxy->lxy", np.clip(change, -5, 5), basis)[:, None]
        leaves = normalise(leaves + shift)
    return best, least


def _finite(leaves: Array, after: Array) -> Array:
    """The leaves, with the entries of `after` where both are -inf: their difference is 0."""
    return np.where(np.isneginf(leaves) & np.isneginf(after), 0.0, leaves)


def check_size(size: Any) -> None:
    """Raises ValueError when a state has more coordinates than a Jacobian by differences can take."""
    if size > LARGEST:
        raise ValueError(
            f"the state has {size} coordinates, more than {LARGEST}: take one prompt, game.prompt(x), or "
            "fewer responses."
        )
