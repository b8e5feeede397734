"""LinearBelief: a preference that is bilinear in features, learned from duels, with elliptic widths.

P(y > z) = 1/2 + phi(y)' M phi(z), M antisymmetric: the log-linear class of policies is closed under its best
responses, and M has d (d - 1) / 2 unknowns for any number of responses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgames.kernels import blocks
from pgames.kernels.elementary import njit
from pgames.kernels.rows import normalise, softmax
from pgames.solver import Weight
from pgames.table.arena import Policy
from pgames.table.beliefs import check_optimism, refuse_nash
from pgames.table.duelled import Featured

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearEvidence:
    """Duels in the space of psi(y, z) = the upper triangle of phi(y) phi(z)' - phi(z) phi(y)'.

    gram float64[S, X, q, q] = sum psi psi', moment float64[S, X, q] = sum psi (outcome - 1/2); both add up.
    """

    gram: Array
    moment: Array

    def __add__(self, other: LinearEvidence) -> LinearEvidence:
        return LinearEvidence(self.gram + other.gram, self.moment + other.moment)


@njit
def pair_features(first, second, out):
    """The upper triangle of first second' - second first', into out float64[q]."""
    k = 0
    for i in range(first.size):
        for j in range(i + 1, first.size):
            out[k] = first[i] * second[j] - second[i] * first[j]
            k += 1


@njit
def collect_evidence(features, wins):
    """(gram, moment) of the duels counted in wins float64[S, X, Y, Y]."""
    S, X, Y, _ = wins.shape
    D = features.shape[2]
    q = D * (D - 1) // 2
    gram, moment, psi = np.zeros((S, X, q, q)), np.zeros((S, X, q)), np.empty(q)
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                for z in range(Y):
                    won = wins[s, x, y, z]
                    if won == 0.0:
                        continue
                    pair_features(features[x, y], features[x, z], psi)
                    for i in range(q):
                        moment[s, x, i] += 0.5 * won * psi[i]
                        for j in range(q):
                            gram[s, x, i, j] += won * psi[i] * psi[j]
    return gram, moment


@njit
def linear_nash(features, matrix, log_reference, tau, start):
    """The regularised Nash under P = 1/2 + phi M phi', found through its mean feature m.

    log pi = log_reference + features M m / tau with m = E_pi phi, over the responses with positive reference.
    """
    S, X, Y = start.shape
    out = np.full((S, X, Y), -np.inf)
    for x in range(X):
        inside = np.flatnonzero(log_reference[x] > -np.inf)
        phi = np.ascontiguousarray(features[x][inside])
        base = log_reference[x][inside]
        for s in range(S):
            u = newton_mean(phi, matrix[s, x], base, 1.0 / tau, start[s, x][inside])
            normalise(u, u.size)
            for i in range(inside.size):
                out[s, x, inside[i]] = u[i]
    return out


@njit
def newton_mean(phi, matrix, base, scale, start):
    """logits base + scale phi M m with m = E phi: damped Newton on m, else a homotopy in scale."""
    D = phi.shape[1]
    mean = phi.T @ softmax(start)
    for attempt in range(2):
        levels = 1 if attempt == 0 else 40
        if attempt == 1:
            mean = phi.T @ softmax(base)
        for level in range(1, levels + 1):
            heat = scale * level / levels
            error = np.inf
            for _ in range(60):
                u = base + heat * (phi @ (matrix @ mean))
                p = softmax(u)
                played = phi.T @ p
                residual = mean - played
                error = np.abs(residual).max()
                if error <= 1e-12:
                    break
                covariance = (phi.T * p) @ phi - np.outer(played, played)
                jacobian = np.eye(D) - heat * (covariance @ matrix)
                move = np.linalg.solve(jacobian, residual)
                damping = 1.0
                while damping > 1e-4:
                    trial = mean - damping * move
                    v = base + heat * (phi @ (matrix @ trial))
                    if np.abs(trial - phi.T @ softmax(v)).max() < (1.0 - 0.25 * damping) * error:
                        break
                    damping *= 0.5
                if damping <= 1e-4:
                    break
                mean = mean - damping * move
        if error <= 1e-9:
            break
    return base + scale * (phi @ (matrix @ mean))


class LinearBelief:
    """An arena whose preference is the ridge estimate of M, with the verbs of `pgames.table.beliefs.Belief`.

    With optimism c the win rate of y against an opponent of mean feature m is raised by
    c sqrt(L / 2) |psi(y, m)| in the norm of (gram + ridge)^-1, lowered where c < 0, and clipped to [0, 1]
    (arXiv:2510.13060). Raises ValueError for an optimism that is not finite.
    """

    RIDGE = 1e-2

    def __init__(self, arena: Featured, evidence: LinearEvidence, optimism: float = 0.0):
        confidence = math.log(2 * arena.responses**2 * arena.prompts * (1.0 + arena.round) ** 2)
        self.reference, self.support, self.features = arena.reference, arena.support, arena.features
        self.optimism = check_optimism(optimism)
        self.radius = self.optimism * math.sqrt(confidence / 2)
        q, D = evidence.moment.shape[-1], self.features.shape[2]
        self.inverse = np.linalg.inv(evidence.gram + self.RIDGE * np.eye(q))
        self.matrix = np.zeros((*evidence.moment.shape[:2], D, D))
        i, j = np.triu_indices(D, 1)
        estimate = np.einsum("sxij,sxj->sxi", self.inverse, evidence.moment)
        self.matrix[..., i, j], self.matrix[..., j, i] = estimate, -estimate
        self._arena = arena

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i, normalised: float64[S, X, Y]. Weights may be negative."""
        return self._arena.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: float64[S, X, Y]. Weights are at least 0 and sum to 1."""
        return self._arena.mixture(*terms)

    def win_rates(self, opponent: Policy) -> Array:
        """The believed P(y > opponent), float64[S, X, Y], in [0, 1]."""
        mean = np.einsum("xyd,sxy->sxd", self.features, np.exp(opponent))
        rates = 0.5 + np.einsum("xyd,sxde,sxe->sxy", self.features, self.matrix, mean)
        if self.radius != 0:
            rates = rates + self.radius * self._widths(mean)
        return np.clip(rates, 0.0, 1.0)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """prior * exp(step * P(. > opponent)), normalised, P as believed: float64[S, X, Y]."""
        return blocks.tilt(prior, self.win_rates(opponent), np.full(len(prior), step, dtype=np.float64))

    def nash(self, tau: float, start: Policy) -> Policy:
        """The regularised Nash of the estimate, float64[S, X, Y], warm-started.

        Raises ValueError when the belief is optimistic or pessimistic, because it is then no game.
        """
        refuse_nash(self.optimism)
        return linear_nash(self.features, self.matrix, self.reference[0], tau, start)

    def favouring(self, policy: Policy, tau: float, alpha: float) -> LinearBelief:
        """Raises ValueError: the bias of VMG is one number per pair of responses, which needs a table."""
        raise ValueError(
            "VMG biases a table of preferences, and this belief is bilinear in features: leave the features "
            "out, or use Optimistic, OMG or Enhancer."
        )

    def least_known(self, opponent: Policy) -> Policy:
        """The response whose win rate against `opponent` has the largest elliptic width."""
        widths = self._widths(np.einsum("xyd,sxy->sxd", self.features, np.exp(opponent)))
        widths[~np.broadcast_to(self.support, widths.shape)] = -np.inf
        out = np.full(widths.shape, -np.inf)
        np.put_along_axis(out, widths.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return out

    def _widths(self, mean: Array) -> Array:
        """|psi(y, m)| in the norm of the inverse, float64[S, X, Y]; psi is linear in phi(y)."""
        D = self.features.shape[2]
        i, j = np.triu_indices(D, 1)
        k = np.arange(len(i))
        lift = np.zeros((*mean.shape[:2], len(i), D))  # psi(y, m) = lift phi(y)
        lift[..., k, i] += mean[..., j]
        lift[..., k, j] -= mean[..., i]
        metric = np.swapaxes(lift, -1, -2) @ self.inverse @ lift
        squares = np.einsum("xyd,sxde,xye->sxy", self.features, metric, self.features)
        return np.sqrt(np.maximum(squares, 0.0))
