"""All equilibria of a degenerate game: they form a polytope, whose corners are listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact.interior_point import follow_path
from pgames.exact.one_game import scaled
from pgames.exact.optimal_face import Face, centre, optimal_face
from pgames.games.preference import PreferenceGame, as_game

Array = NDArray[np.float64]

LARGEST = 8  # dimensions of a polytope whose corners are listed; there can be C(n, d / 2) of them
ACTIVE = 1e-9  # a slack below this is 0 at a corner
SAME = 1e-9  # two corners closer than this are one


def extreme_equilibria(game: PreferenceGame | ArrayLike) -> tuple[Array, ...]:
    """The corners of the polytope of unregularised equilibria, float64[K, Y] for each prompt.

    Every mixture of the corners of a prompt is an equilibrium, and there are no others; a game with one
    equilibrium has one corner. Corners are sorted, the one that plays the first responses most first.

    Raises TypeError when `game` is not a game, ValueError for equilibria of more than 8 dimensions,
    which can have too many corners, and RuntimeError when rounding hides the polytope.
    """
    game = as_game(game)
    return tuple(_corners(game, x) for x in range(game.prompts))


def _corners(game: PreferenceGame, x: int) -> Array:
    inside = np.flatnonzero(game.support[x])
    A, _, rounding = scaled(game.skew[x][np.ix_(inside, inside)])
    end = follow_path(A, np.log(game.reference[x, inside]), 0.0, rounding)
    face = None if end.exact else optimal_face(A, end.x, end.played, rounding)
    if not end.exact and face is None:
        raise RuntimeError(
            f"prompt {x}: rounding hides the set of equilibria; write the preferences with more digits."
        )
    if face is None:
        parts = end.x[None]
    else:
        if face.directions.shape[1] > LARGEST:
            raise ValueError(
                f"prompt {x}: its equilibria have {face.directions.shape[1]} dimensions, and corners are "
                f"listed up to {LARGEST}: nash(game, select=...) gives one of them."
            )
        corners = _of_face(face)
        parts = np.zeros((len(corners), len(inside)))
        parts[:, end.played] = corners
    out = np.zeros((len(parts), game.responses))
    out[:, inside] = parts
    return out[np.lexsort(-np.round(out, 9).T[::-1])]


def _of_face(face: Face) -> Array:
    """The corners float64[K, b] of {x0 + Z t >= 0, -losing (x0 + Z t) >= 0}."""
    d = face.directions.shape[1]
    if d == 0:
        return face.point[None]
    x0 = centre(face, np.ones(len(face.point) + len(face.losing)))
    rows = np.vstack([np.eye(len(x0)), -face.losing])
    G, h = rows @ face.directions, rows @ x0
    moving = np.abs(G).max(axis=1) > 1e-12
    size = np.linalg.norm(G[moving], axis=1)
    G, h = G[moving] / size[:, None], h[moving] / size
    if d == 1:
        with np.errstate(divide="ignore"):
            reach = -h / G[:, 0]
        ends = np.array([[reach[G[:, 0] > 0].max()], [reach[G[:, 0] < 0].min()]])
    else:
        from scipy.spatial import HalfspaceIntersection

        ends = HalfspaceIntersection(np.column_stack([-G, -h]), np.zeros(d)).intersections
    corners = [_polished(G, h, t) for t in ends if np.isfinite(t).all()]
    kept: list[Array] = []
    for t in corners:
        x = np.maximum(x0 + face.directions @ t, 0.0)
        x[x < ACTIVE] = 0.0
        x /= x.sum()
        if all(np.abs(x - other).max() > SAME for other in kept):
            kept.append(x)
    return np.array(kept)


def _polished(G: Array, h: Array, t: Array) -> Array:
    """The corner float64[d] as the solution of its active constraints."""
    active = G @ t + h < ACTIVE
    return t - np.linalg.lstsq(G[active], G[active] @ t + h[active], rcond=None)[0]
