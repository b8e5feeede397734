"""LearnedPreference: a judge estimated from duels, with the spread of an ensemble as its width."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.judges.base import check_answers, check_batch
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE
from pgames.numerics import sigmoid

Floats = NDArray[np.float64]
Features = Callable[[Sequence[str], Sequence[str]], Floats]  # (prompts, responses) -> float64[B, D]
BLOCK = 4096  # pairs whose features are held at a time


class LastLayer:
    """Features of (prompt, response): the base's last hidden states, averaged over response tokens and EOS.

    The adapters are off, so features depend on the texts alone, and rows can be kept or computed again.
    Each forward pass reads one response: in a batch the last bits would depend on the other rows.

    Parameters
    ----------
    lm : the language model.
    mebibytes : memory limit of the kept rows, at least 0; 1024 holds 131072 rows of 1024 features. When it is
        reached, the least recently used rows are dropped. If a single call exceeds it, the first rows of that
        call are kept.

    Raises ValueError when `mebibytes` is negative.
    """

    def __init__(self, lm: LanguageModel, mebibytes: float = 1024.0):
        if not mebibytes >= 0:
            raise ValueError(f"mebibytes must be at least 0, got {mebibytes}.")
        self.lm, self.limit = lm, int(mebibytes * 2**20)
        self.used = 0  # bytes of the rows that are kept
        self._kept: dict[tuple[str, str], Floats] = {}  # least recently used first

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """float64[B, D], one row per response. Raises ValueError when one exceeds the model's context."""
        pairs = list(zip(prompts, responses, strict=True))
        rows: dict[tuple[str, str], Floats] = {}
        for pair in pairs:
            if pair not in rows:
                rows[pair] = self._known(pair)
        self._keep(rows)
        return np.array([rows[pair] for pair in pairs])

    def _known(self, pair: tuple[str, str]) -> Floats:
        """The row of a pair: removed from the kept rows, or computed."""
        if (row := self._kept.pop(pair, None)) is None:
            return self._states(*pair)
        self.used -= row.nbytes
        return row

    def _keep(self, rows: dict[tuple[str, str], Floats]) -> None:
        """Keep as many rows as fit, dropping the least recently used of the others."""
        for pair, row in rows.items():
            while self.used + row.nbytes > self.limit:
                oldest = next(iter(self._kept), None)
                if oldest is None or oldest in rows:
                    return
                self.used -= self._kept.pop(oldest).nbytes
            self._kept[pair] = row
            self.used += row.nbytes

    @torch.no_grad()
    def _states(self, prompt: str, response: str) -> Floats:
        lm, head = self.lm, self.lm.encode(prompt)
        row = head + lm.encode_drawn(response, head)
        lm.check_length(len(row))
        with lm.active(BASE):
            hidden = lm.trunk(torch.tensor([row], device=lm.device))[0]
        return hidden.double().cpu().numpy()[len(head) :].mean(axis=0)


@dataclass(frozen=True, eq=False)
class LearnedPreference:
    """A judge learned from duels: P = mean_m sigmoid(s_m); its width is the deviation over the members m.

    s_m(y, z) = w_m (f(y) - f(z)) + f(y)' A_m f(z) with A_m antisymmetric, so s_m(y, z) = -s_m(z, y) by
    construction. Cycles can be learned, which a score per response (A = 0, Bradley-Terry) cannot express. f
    are the features of (prompt, response), standardised and projected. As a judge it answers
    P + optimism * width, clipped to [0, 1]: with optimism both P(y, z) and P(z, y) may be above 1/2.
    P(y, y) = 1/2 always.

    features : (prompts, responses) -> float64[B, D].
    centre, projection : float64[D] and float64[D, d], f = (features - centre) projection.
    weights : float64[M, d + d (d - 1) / 2], of the M members.
    optimism : number of widths added, at least 0.
    """

    features: Features
    centre: Floats = field(repr=False)
    projection: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    optimism: float = 0.0

    as_is = True

    @property
    def antisymmetric(self) -> bool:
        """Whether P(y, z) + P(z, y) = 1, so that one order of a pair determines the other."""
        return self.optimism == 0

    @property
    def name(self) -> str:
        """A digest of weights, projection and centre, and the optimism; the features are not identified."""
        digest = hashlib.sha256()
        for part in (self.weights, self.projection, self.centre):
            digest.update(f"{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        return f"LearnedPreference({digest.hexdigest()[:12]}, optimism={self.optimism})"

    def optimistic(self, optimism: float) -> LearnedPreference:
        """The same estimate with another optimism. Raises ValueError unless it is finite and at least 0."""
        return replace(self, optimism=_check_optimism(optimism))

    def prefer(self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> Floats:
        """P(first > second) + optimism * width, clipped: float64[B] in [0, 1]."""
        mean, width = self.rates(prompts, firsts, seconds)
        return np.clip(mean + self.optimism * width, 0.0, 1.0)

    def rates(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> tuple[Floats, Floats]:
        """The estimated P(first > second) and its width, float64[B] each; 1/2 and 0 for equal texts."""
        check_batch(prompts, firsts, seconds)
        if not len(prompts):
            return np.empty(0), np.empty(0)
        both = self.features([*prompts, *prompts], [*firsts, *seconds])
        f = (both - self.centre) @ self.projection
        y, z, rows = f[: len(prompts)], f[len(prompts) :], range(0, len(prompts), BLOCK)
        scores = [pair_features(y[i : i + BLOCK], z[i : i + BLOCK]) @ self.weights.T for i in rows]
        members = sigmoid(np.concatenate(scores))
        return members.mean(axis=1), members.std(axis=1, ddof=1)


def learn_preference(
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
) -> LearnedPreference:
    """The preference estimated from duels by an ensemble of regularised logistic regressions.

    Member m minimises sum_n b_n loss_n(s) + |theta - theta_m|^2 / (2 spread^2), with b_n ~ Exp(1) (a Bayesian
    bootstrap of the duels) and theta_m ~ N(0, spread^2) a draw of the prior: approximate posterior samples.
    Priors come in pairs theta, -theta, so that without evidence P = 1/2. The problem is convex and the
    result deterministic.

    Parameters
    ----------
    features : (prompts, responses) -> float64[B, D], such as `LastLayer(lm)`.
    prompts, firsts, seconds : the texts of N duels.
    wins : float64[N] in [0, 1], 1 if the first won.
    optimism : number of widths added, at least 0.
    members : size of the ensemble, even and at least 2.
    dimensions : d of the projected features, at least 1; any preference among d + 1 responses can be learned.
    spread : standard deviation of the prior, above 0.
    seed : seed of prior, bootstrap and projection.

    Raises ValueError for lists of different lengths and parameters out of range; JudgeError for wins that are
    not probabilities.
    """
    check_batch(prompts, firsts, seconds)
    won = check_answers("the evidence", wins, prompts, firsts, seconds)
    if members < 2 or members % 2 or dimensions < 1 or not spread > 0:
        raise ValueError(
            "learn_preference: need an even number of members >= 2, dimensions >= 1 and spread > 0, got "
            f"{members}, {dimensions} and {spread}."
        )
    met = list(dict.fromkeys([*zip(prompts, firsts, strict=True), *zip(prompts, seconds, strict=True)]))
    raw = features([x for x, _ in met] or ["?"], [y for _, y in met] or ["?"])  # any text, to learn D
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
    return LearnedPreference(features, centre, projection, np.array(weights), _check_optimism(optimism))


def pair_features(f: Floats, g: Floats) -> Floats:
    """float64[B, d + d (d - 1) / 2]: f - g, and f_i g_j - f_j g_i for i < j; swapping f and g negates it."""
    i, j = np.triu_indices(f.shape[1], 1)
    return np.concatenate([f - g, f[:, i] * g[:, j] - f[:, j] * g[:, i]], axis=1)


def _projection(raw: Floats, dimensions: int, seed: int) -> tuple[Floats, Floats]:
    """Centre float64[D] and projection float64[D, d] to unit variance and random directions; |f|^2 ~ 1."""
    deviation = raw.std(axis=0)
    floor = 1e-2 * deviation.mean()  # features that hardly vary are not amplified
    scale = np.maximum(deviation, floor) if floor > 0 else np.ones(raw.shape[1])
    D, d = raw.shape[1], min(dimensions, raw.shape[1])
    directions = np.eye(D) if d == D else np.random.default_rng([seed, 0]).normal(size=(D, d)) / np.sqrt(d)
    return raw.mean(axis=0), directions / (scale[:, None] * np.sqrt(D))


def _logistic_regression(design: Floats, y: Floats, n: Floats, prior: Floats, spread: float) -> Floats:
    """argmin of the sum of n log(1 + exp(s)) - y s, + |theta - prior|^2 / (2 spread^2), s = design theta."""
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
