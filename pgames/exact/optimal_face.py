"""Choices among the equilibria of a degenerate game, which form a polytope.

With B the responses that some equilibrium plays and N the others, the equilibria are

    x = x0 + Z t >= 0 on B (A_BB x = 0, sum(x) = 1; Z spans the kernel),   A_NB x <= 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_STEPS = 100
CONVERGES = 1e-6  # a decrement from which Newton's method squares it in each step
COMPLEMENTARY = 1e-12  # final products of slack and multiplier


class Face(NamedTuple):
    """A face of dimension k of the equilibria; B are the b responses that it plays, N the m others.

    point float64[b], an inner point; directions float64[b, k], the free ones; losing float64[m, b], the
    payoffs of N against B.
    """

    point: Array
    directions: Array
    losing: Array


def optimal_face(A: Array, x: Array, played: NDArray[np.bool_], rounding: float) -> Face | None:
    """The face around x float64[n], an approximate equilibrium inside it; None if there is no such face.

    `rounding` is the error of the entries of A; singular values below it count as 0.
    """
    B = np.flatnonzero(played)
    k = len(B)
    equations = np.vstack([A[np.ix_(B, B)], np.ones(k)])
    left, values, right = np.linalg.svd(equations, full_matrices=True)
    rank = np.count_nonzero(values > 8 * k * max(rounding, np.finfo(float).eps * values[0]))
    point = x[B]
    for _ in range(2):  # the second pass corrects rounding
        error = equations @ point
        error[k] -= 1
        point = point - right[:rank].T @ ((left[:, :rank].T @ error) / values[:rank])
    face = Face(point, right[rank:].T, A[np.ix_(~played, played)])
    inside = point.min() > 0 and (face.losing @ point).max(initial=-1.0) < 0
    return face if inside else None


def centre(face: Face, weights: Array) -> Array:
    """argmax sum_B w log x + sum_N w log(-A_NB x), float64[b]: the analytic centre, by damped Newton.

    weights : w float64[b + m], at least 1: those of B, then those of N.
    """
    x, Z = face.point, face.directions
    root = np.sqrt(weights)
    G = root[:, None] * np.vstack([Z, -face.losing @ Z])
    best, highest, before = x, -np.inf, np.inf
    for _ in range(MAX_STEPS):
        slack = np.concatenate([x, -face.losing @ x])
        if not (slack > 0).all():  # by rounding, where rows of the game are nearly equal
            return face.point
        value = float(weights @ np.log(slack))
        if before > CONVERGES and value <= highest:  # a damped step raises it, but for rounding
            return best
        best, highest = x, value
        scaled = G / slack[:, None]
        dt = _least_squares(scaled, root)
        relative = scaled @ dt
        decrement = float(np.linalg.norm(relative))
        x = x + Z @ dt / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-12 or (decrement < CONVERGES and decrement > before / 2):
            break
        before = decrement
    return x


def _least_squares(M: Array, right: Array) -> Array:
    """argmin |M t - right|_2, float64[k], for M float64[m, k]: by Cholesky, or by SVD where that fails."""
    from scipy.linalg import cho_factor, cho_solve

    try:
        return np.asarray(cho_solve(cho_factor(M.T @ M, check_finite=False), M.T @ right, check_finite=False))
    except LinAlgError:
        return np.asarray(np.linalg.lstsq(M, right, rcond=None)[0], dtype=np.float64)


def closest(face: Face, reference: Array) -> Array:
    """argmin KL(x || reference) over the face, float64[b]: by an interior-point method, then on the edge.

    Multipliers z >= 0 of the slacks s = (x, -A_NB x), z s -> 0; each step solves for dt and dz together. The
    bound x >= 0 matters where the reference is nearly 0.
    """
    x, Z = face.point, face.directions
    rows = np.vstack([np.eye(len(x)), -face.losing])
    G = rows @ Z
    m, d = G.shape
    s, z = rows @ x, np.full(m, 0.1)
    system = np.zeros((d + m, d + m))
    system[:d, d:], system[d:, :d] = -G.T, -G
    for _ in range(MAX_STEPS):
        target = max(0.1 * float(s @ z) / m, COMPLEMENTARY)
        system[:d, :d] = Z.T @ (Z / x[:, None])
        system[range(d, d + m), range(d, d + m)] = -s / z
        gradient = Z.T @ np.log(x / reference) - G.T @ z
        step = np.linalg.solve(system, np.concatenate([-gradient, s - target / z]))
        dx, ds, dz = Z @ step[:d], G @ step[:d], step[d:]
        length = min(1.0, 0.95 * min(_reach(s, ds), _reach(z, dz)))
        x, s, z = x + length * dx, s + length * ds, z + length * dz
        if target == COMPLEMENTARY and np.abs(dx).max() < 1e-9:
            break
    s, z = s[len(x) :], z[len(x) :]
    for binding in (s < z, s < 1e-5):
        edge = _on_edge(face, x, binding, reference)
        if edge.min() > 0 and (face.losing @ edge).max(initial=0.0) < 1e-15:
            return edge
    return x


def _on_edge(face: Face, x: Array, binding: NDArray[np.bool_], reference: Array) -> Array:
    """argmin KL(x || reference) where the responses in `binding` tie, by Newton's method from x."""
    G = face.losing[binding] @ face.directions
    x = x - face.directions @ np.linalg.lstsq(G, face.losing[binding] @ x, rcond=None)[0]
    _, values, right = np.linalg.svd(G, full_matrices=True)
    free = face.directions @ right[np.count_nonzero(values > 1e-10) :].T
    for _ in range(10):
        if free.shape[1] == 0 or not x.min() > 0:
            break
        x = x - free @ np.linalg.solve(free.T @ (free / x[:, None]), free.T @ np.log(x / reference))
    return x


def _reach(x: NDArray[np.floating], dx: NDArray[np.floating]) -> float:
    return 1 / max((-dx / x).max(initial=0.0), 1e-300)
