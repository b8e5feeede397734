"""Compiled loops that fit a mirror step to labelled pairs and find the response of largest elliptic width.

Y is the number of responses, S runs, X prompts.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.rows import normalise


@njit
def cholesky_solve(A, b):
    """Solve A x = b for a symmetric positive definite A, which is overwritten; x replaces b."""
    n = b.size
    for j in range(n):
        for k in range(j):
            for i in range(j, n):
                A[i, j] -= A[i, k] * A[j, k]
        root = math.sqrt(A[j, j])
        for i in range(j, n):
            A[i, j] /= root
    for i in range(n):
        for k in range(i):
            b[i] -= A[i, k] * b[k]
        b[i] /= A[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= A[k, i] * b[k]
        b[i] /= A[i, i]


@njit
def regress(prior, features, pairs, labels, step, ridge, sft, anchor):
    """argmin over d = features w of mean (d_y - d_y' - step label)^2 + ridge |w|^2 + sft KL(anchor || pi).

    pi = prior exp(d), normalised: log-probabilities float64[S, X, Y]. `features` float64[X, Y, D]; a table is
    D = Y with the identity. The minimiser has a closed form, solved in the smaller of the two spaces, pairs
    or features; with `sft` > 0 it is approximated by two Newton steps from d = 0.

    pairs int32[S, X, m, 2], labels float64[S, X, m], step float64[S], anchor float64[S, X, Y] probabilities.
    """
    S, X, Y = prior.shape
    m, D = pairs.shape[2], features.shape[2]
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            phi = features[x]
            rows = np.empty((m, D))
            for i in range(m):
                rows[i] = phi[pairs[s, x, i, 0]] - phi[pairs[s, x, i, 1]]
            target = step[s] * labels[s, x]
            if sft == 0.0 and m < D:
                gram = rows @ rows.T
                for i in range(m):
                    gram[i, i] += ridge * m
                cholesky_solve(gram, target)
                w = rows.T @ target
            else:
                A = rows.T @ rows * (2.0 / m)
                for k in range(D):
                    A[k, k] += 2.0 * ridge
                r = rows.T @ target * (2.0 / m)
                w = np.zeros(D)
                for _ in range(1 if sft == 0.0 else 2):
                    hessian, move = A.copy(), r - A @ w
                    if sft != 0.0:
                        p = prior[s, x] + phi @ w
                        normalise(p, Y)
                        p = np.exp(p)
                        mean = phi.T @ p
                        move += sft * (phi.T @ anchor[s, x] - mean)
                        weighted = phi * p.reshape((-1, 1))
                        hessian += sft * (phi.T @ weighted - np.outer(mean, mean))
                    cholesky_solve(hessian, move)
                    w += move
            out[s, x] = prior[s, x] + phi @ w
            normalise(out[s, x], Y)
    return out


@njit
def regress_table(prior, pairs, labels, step, ridge):
    """`regress` for a table without the SFT term, where a pair has two non-zero features."""
    S, X, Y = prior.shape
    m = pairs.shape[2]
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            d = np.zeros(Y)
            if m < Y:
                gram = np.zeros((m, m))
                target = step[s] * labels[s, x]
                for i in range(m):
                    a, b = pairs[s, x, i, 0], pairs[s, x, i, 1]
                    for j in range(m):
                        c, e = pairs[s, x, j, 0], pairs[s, x, j, 1]
                        gram[i, j] = int(a == c) - int(a == e) - int(b == c) + int(b == e)
                    gram[i, i] += ridge * m
                cholesky_solve(gram, target)
                for i in range(m):
                    d[pairs[s, x, i, 0]] += target[i]
                    d[pairs[s, x, i, 1]] -= target[i]
            else:
                A = np.zeros((Y, Y))
                for y in range(Y):
                    A[y, y] = ridge * m
                for i in range(m):
                    a, b = pairs[s, x, i, 0], pairs[s, x, i, 1]
                    if a == b:
                        continue
                    A[a, a] += 1.0
                    A[b, b] += 1.0
                    A[a, b] -= 1.0
                    A[b, a] -= 1.0
                    d[a] += step[s] * labels[s, x, i]
                    d[b] -= step[s] * labels[s, x, i]
                cholesky_solve(A, d)
            for y in range(Y):
                out[s, x, y] = prior[s, x, y] + d[y]
            normalise(out[s, x], Y)
    return out


@njit
def remember(counts, inverse, features, pairs):
    """Add pairs to a buffer in place: its counts, and the inverse of I + sum (phi - phi')(phi - phi')'."""
    S, X, n, _ = pairs.shape
    D = features.shape[2]
    for s in range(S):
        for x in range(X):
            for i in range(n):
                y, z = pairs[s, x, i, 0], pairs[s, x, i, 1]
                counts[s, x, y, z] += 1.0
                if y == z:
                    continue
                v = features[x, y] - features[x, z]
                u = inverse[s, x] @ v
                scale = 1.0 / (1.0 + v @ u)
                for k in range(D):
                    for j in range(D):
                        inverse[s, x, k, j] -= scale * u[k] * u[j]


@njit
def least_known(inverse, features, tabular, policy, support):
    """int64[S, X]: argmax_y of the elliptic norm of phi(y) - E_policy phi over the support, first of ties."""
    S, X, Y = policy.shape
    out = np.zeros((S, X), dtype=np.int64)
    for s in range(S):
        for x in range(X):
            p, metric = np.exp(policy[s, x]), inverse[s, x]
            mean = p if tabular else features[x].T @ p
            reach = metric @ mean
            offset = mean @ reach
            best = -1.0
            for y in range(Y):
                if not support[x, y]:
                    continue
                if tabular:
                    width = metric[y, y] - 2.0 * reach[y] + offset
                else:
                    phi = features[x, y]
                    width = phi @ (metric @ phi) - 2.0 * (phi @ reach) + offset
                if width > best * (1.0 + 1e-12):
                    best, out[s, x] = width, y
    return out
