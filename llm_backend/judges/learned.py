"""A preference learned from duels, with the width of an ensemble: the judge where there are only duels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.judges.base import check_answers, check_batch
from llm_backend.judges.scored import sigmoid
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE

Floats = NDArray[np.float64]
Features = Callable[[Sequence[str], Sequence[str]], Floats]  # (prompts, responses) -> float64[B, D]
BLOCK = 4096  # pairs whose features are held at a time


class LastLayer:
    """Features float64[B, D]: the base's last hidden states, averaged over the tokens of a response and EOS.

    They depend on the prompt and never change: the adapters are off. Known ones are kept in memory. A pass
    reads one response, because in a batch the last bits depend on what else is in it, and a run that goes on
    after a kill asks for all its evidence at once.
    """

    def __init__(self, lm: LanguageModel):
        self.lm = lm
        self._known: dict[tuple[str, str], Floats] = {}

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        pairs = list(zip(prompts, responses, strict=True))
        for pair in pairs:
            if pair not in self._known:
                self._known[pair] = self._states(*pair)
        return np.array([self._known[pair] for pair in pairs])

    @torch.no_grad()
    def _states(self, prompt: str, response: str) -> Floats:
        lm, head = self.lm, self.lm.encode(prompt)
        row = head + lm.encode_response(response)
        lm.check_length(len(row))
        with lm.active(BASE):
            hidden = lm.trunk(torch.tensor([row], device=lm.device))[0]
        return hidden.double().cpu().numpy()[len(head) :].mean(axis=0)


@dataclass(frozen=True, eq=False)
class Belief:
    """What duels say: P = mean_m sigmoid(s_m), width = the standard deviation over the members m.

    s_m(y, z) = w_m (f(y) - f(z)) + f(y)' A_m f(z) with A_m antisymmetric, so s_m(y, z) = -s_m(z, y) by
    construction and cycles can be learned, which a score per response (A = 0, Bradley-Terry) cannot. f are
    features of (prompt, response), standardised and projected. As a judge it answers P + optimism * width,
    clipped to [0, 1]: with optimism both P(y, z) and P(z, y) may be above 1/2, and P(y, y) = 1/2 always.
    """

    features: Features
    centre: Floats = field(repr=False)
    projection: Floats = field(repr=False)  # float64[D, d]
    weights: Floats = field(repr=False)  # float64[M, d + d (d - 1) / 2]
    optimism: float = 0.0

    as_is = True

    @property
    def antisymmetric(self) -> bool:
        """Whether P(y, z) + P(z, y) = 1, so that one order of a pair says all."""
        return self.optimism == 0

    @property
    def name(self) -> str:
        digest = hashlib.sha256(self.weights.tobytes() + self.projection.tobytes())
        return f"Belief({digest.hexdigest()[:12]}, optimism={self.optimism})"

    def optimistic(self, optimism: float) -> Belief:
        """The same evidence seen with another optimism."""
        return replace(self, optimism=_check_optimism(optimism))

    def prefer(self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> Floats:
        """P(first > second) + optimism * width, float64[B] in [0, 1]."""
        mean, width = self.rates(prompts, firsts, seconds)
        return np.clip(mean + self.optimism * width, 0.0, 1.0)

    def rates(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> tuple[Floats, Floats]:
        """The believed P(first > second) and its width, float64[B] each; 1/2 and 0 for the same text."""
        check_batch(prompts, firsts, seconds)
        if not len(prompts):
            return np.empty(0), np.empty(0)
        both = self.features([*prompts, *prompts], [*firsts, *seconds])
        f = (both - self.centre) @ self.projection
        y, z, rows = f[: len(prompts)], f[len(prompts) :], range(0, len(prompts), BLOCK)
        scores = [pair_features(y[i : i + BLOCK], z[i : i + BLOCK]) @ self.weights.T for i in rows]
        members = sigmoid(np.concatenate(scores))
        return members.mean(axis=1), members.std(axis=1, ddof=1)


def believe(
    features: Features,
    prompts: Sequence[str],
    firsts: Sequence[str],
    seconds: Sequence[str],
    wins: Sequence[float] | Floats,
    optimism: float = 0.0,
    members: int = 8,
    dimensions: int = 32,
    spread: float = 2.0,
    seed: int = 0,
) -> Belief:
    """The belief that duels leave: an ensemble of regularised logistic regressions.

    Member m minimises sum_n b_n loss_n(s) + |theta - theta_m|^2 / (2 spread^2), with b_n ~ Exp(1) (a Bayesian
    bootstrap of the duels) and theta_m ~ N(0, spread^2) a draw of the prior: approximate posterior samples.
    Priors come in pairs theta, -theta, so that no evidence is P = 1/2. Convex and deterministic.

    Parameters
    ----------
    features : (prompts, responses) -> float64[B, D], as `LastLayer(lm)`.
    prompts, firsts, seconds : texts of N duels. wins : float64[N] in [0, 1], 1 where the first won.
    optimism : how many widths are added. members : size of the ensemble, even.
    dimensions : d of the projected features; any preference among d + 1 responses can be learned.
    spread : standard deviation of the prior. seed : of prior, bootstrap and projection.
    """
    check_batch(prompts, firsts, seconds)
    won = check_answers("the evidence", wins, prompts, firsts, seconds)
    if members < 2 or members % 2 or dimensions < 1 or not spread > 0:
        raise ValueError(
            "believe: need an even number of members >= 2, dimensions >= 1 and spread > 0, got "
            f"{members}, {dimensions} and {spread}."
        )
    met = list(dict.fromkeys([*zip(prompts, firsts, strict=True), *zip(prompts, seconds, strict=True)]))
    raw = features([x for x, _ in met] or ["?"], [y for _, y in met] or ["?"])  # any, for its size
    centre, projection = _projection(raw if met else raw * 0, dimensions, seed)
    f = (raw - centre) @ projection
    place = {item: i for i, item in enumerate(met)}
    pairs = np.array(
        [(place[x, y], place[x, z]) for x, y, z in zip(prompts, firsts, seconds, strict=True)], np.int64
    ).reshape(-1, 2)
    distinct, which = np.unique(pairs, axis=0, return_inverse=True)
    which = which.reshape(-1)
    design = pair_features(f[distinct[:, 0]], f[distinct[:, 1]])
    weights = []
    for m in range(members):
        prior = np.random.default_rng([seed, 1, m // 2]).normal(0, spread, design.shape[1])
        bootstrap = np.random.default_rng([seed, 2, m]).exponential(size=len(won))
        y, n = np.zeros(len(distinct)), np.zeros(len(distinct))
        np.add.at(y, which, bootstrap * won)
        np.add.at(n, which, bootstrap)
        weights.append(_logistic_regression(design, y, n, prior if m % 2 else -prior, spread))
    return Belief(features, centre, projection, np.array(weights), _check_optimism(optimism))


def pair_features(f: Floats, g: Floats) -> Floats:
    """float64[B, d + d (d - 1) / 2]: f - g, and f_i g_j - f_j g_i for i < j; swapping f and g negates it."""
    i, j = np.triu_indices(f.shape[1], 1)
    return np.concatenate([f - g, f[:, i] * g[:, j] - f[:, j] * g[:, i]], axis=1)


def _projection(raw: Floats, dimensions: int, seed: int) -> tuple[Floats, Floats]:
    """Centre and float64[D, d]: coordinates to unit variance, then few random directions, so |f|^2 ~ 1."""
    deviation = raw.std(axis=0)
    floor = 1e-2 * deviation.mean()  # what hardly ever moves is not blown up
    scale = np.maximum(deviation, floor) if floor > 0 else np.ones(raw.shape[1])
    D, d = raw.shape[1], min(dimensions, raw.shape[1])
    turn = np.eye(D) if d == D else np.random.default_rng([seed, 0]).normal(size=(D, d)) / np.sqrt(d)
    return raw.mean(axis=0), turn / (scale[:, None] * np.sqrt(D))


def _logistic_regression(design: Floats, y: Floats, n: Floats, prior: Floats, spread: float) -> Floats:
    """argmin of n log(1 + exp(s)) - y s, summed, + |theta - prior|^2 / (2 spread^2), s = design theta."""
    from scipy.optimize import minimize

    def value(theta: Floats) -> tuple[float, Floats]:
        s, away = design @ theta, theta - prior
        loss = n @ np.logaddexp(0, s) - y @ s + away @ away / (2 * spread**2)
        return float(loss), design.T @ (n * sigmoid(s) - y) + away / spread**2

    if not len(y):
        return prior
    found = minimize(value, prior, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "gtol": 1e-6})
    return found.x


def _check_optimism(optimism: float) -> float:
    if not 0 <= optimism < np.inf:
        raise ValueError(f"optimism must be a finite number >= 0, got {optimism}.")
    return float(optimism)
