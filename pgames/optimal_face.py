"""Which equilibrium of a degenerate game: its equilibria form a polytope, and these pick a point of it.

With B the responses that some equilibrium plays and N the others, the equilibria are

    x = x0 + Z t >= 0 on B (A_BB x = 0, sum(x) = 1; Z spans the kernel),   A_NB x <= 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MAX_STEPS = 200


class Face(NamedTuple):
    """An inner point and the free directions, in the coordinates of B; payoffs of N against B."""

    point: Vector
    directions: Vector
    losing: Vector


def optimal_face(A: Vector, x: Vector, played: NDArray[np.bool_], rounding: float) -> Face | None:
    """The face around x, an approximate equilibrium inside it; None if there is no such face.

    `rounding` is the error of the entries of A; singular values below it count as 0.
    """
    B = np.flatnonzero(played)
    k = len(B)
    equations = np.vstack([A[np.ix_(B, B)], np.ones(k)])
    left, values, right = np.linalg.svd(equations, full_matrices=True)
    rank = np.count_nonzero(values > 8 * k * max(rounding, np.finfo(float).eps * values[0]))
    point = x[B]
    for _ in range(2):  # the second time corrects rounding
        error = equations @ point
        error[k] -= 1
        point = point - right[:rank].T @ ((left[:, :rank].T @ error) / values[:rank])
    face = Face(point, right[rank:].T, A[np.ix_(~played, played)])
    inside = point.min() > 0 and (face.losing @ point).max(initial=-1.0) < 0
    return face if inside else None


def centre(face: Face) -> Vector:
    """argmax sum_B log x + sum_N log(-A_NB x): the analytic centre, by damped Newton."""
    x, Z = face.point, face.directions
    G = np.vstack([Z, -face.losing @ Z])
    for _ in range(MAX_STEPS):
        slack = np.concatenate([x, -face.losing @ x])
        scaled = G / slack[:, None]
        dt = np.linalg.lstsq(scaled, np.ones(len(slack)), rcond=None)[0]
        relative = scaled @ dt
        decrement = np.linalg.norm(relative)
        x = x + Z @ dt / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-12:
            break
    return x


def closest(face: Face, reference: Vector) -> Vector:
    """argmin KL(x || reference) over the face, by a primal-dual interior-point method."""
    x, Z = face.point, face.directions
    G = face.losing @ Z
    s = -face.losing @ x
    z = 1e-2 / np.maximum(s, 1e-3)
    for _ in range(MAX_STEPS):
        mu = float(s @ z) / max(len(s), 1)
        gradient = Z.T @ np.log(x / reference) + G.T @ z
        H = Z.T @ (Z / x[:, None]) + G.T @ (G * (z / s)[:, None])
        if np.abs(gradient).max(initial=0.0) < 1e-13 and mu < 1e-15:
            break
        # s z + s dz + z ds = sigma mu, ds = -G dt
        sigma = 0.1
        dt = np.linalg.solve(H, -gradient - G.T @ ((sigma * mu - s * z) / s))
        ds = -G @ dt
        dz = (sigma * mu - s * z - z * ds) / s
        dx = Z @ dt
        length = min(1.0, 0.95 * min(_reach(x, dx), _reach(s, ds), _reach(z, dz)))
        x, s, z = x + length * dx, s + length * ds, z + length * dz
    return x


def _reach(x: Vector, dx: Vector) -> float:
    return 1 / max((-dx / x).max(initial=0.0), 1e-300)
