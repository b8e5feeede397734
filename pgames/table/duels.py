"""DuelArena: a table whose preference is observed only through duels."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.arena import Evidence, Width
from pgames.counts import PairCounts
from pgames.games.preference import PreferenceGame, as_game
from pgames.kernels import judging
from pgames.losses import PairLoss
from pgames.numerics import real
from pgames.regularisers import KL, Regulariser, check_kl
from pgames.solver import Weight
from pgames.table import duel_kernels, fit_kernels
from pgames.table.arena import Policy, TableArena
from pgames.table.beliefs import Belief
from pgames.table.calibrated import fit_calibrated
from pgames.table.linear import LinearBelief, LinearEvidence, collect_evidence


@dataclass(frozen=True, eq=False)
class Buffer:
    """The pairs collected so far, not judged: `counts` float64[S, X, Y, Y] of (first, second).

    `inverse` float64[S, X, D, D] is the inverse of I + sum (phi(y) - phi(y')) (phi(y) - phi(y'))', which
    measures how well each direction has been explored.
    """

    counts: NDArray[np.float64]
    inverse: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Responses drawn from a policy: `counts` float64[S, X, Y]. Samples pool with `+`."""

    counts: NDArray[np.float64]

    def __add__(self, other: Samples) -> Samples:
        return Samples(self.counts + other.counts)


@dataclass(frozen=True, eq=False)
class Labels:
    """Pairs int32[S, X, m, 2] with labels float64[S, X, m] to regress differences of log-ratios on.

    `opponent` float64[S, X, Y] holds the probabilities of the policy against which the pairs were judged.
    """

    pairs: NDArray[np.int32]
    labels: NDArray[np.float64]
    opponent: NDArray[np.float64]


class DuelArena:
    """The verbs of learning: mixing policies costs no verdicts, and the preference is seen only in duels.

    Parameters
    ----------
    game : the true game; only `duel`, `compare`, `label` and `self_duels` read its preferences.
    runs : S, independent runs computed side by side.
    seed : all randomness is a function of (seed, run, round) and of the policies compared.
    features : float64[X, Y, D] of a log-linear class; None is the tabular class.
    first_run : number of the first run, so that an experiment can be split without repeating streams.
    regulariser : KL(), the only one here: beliefs and fits to duels are those of KL.

    `rounds` is the number of rounds that the current step stands for (1, or more under a lazy schedule).
    `bits` counts the verdicts of this round, per run; no verb reads it.

    Raises ValueError for another regulariser.
    """

    def __init__(
        self,
        game: PreferenceGame | ArrayLike,
        runs: int = 1,
        seed: int = 0,
        features: ArrayLike | None = None,
        first_run: int = 0,
        regulariser: Regulariser = KL(),  # noqa: B008
    ):
        check_kl(
            regulariser,
            "DuelArena",
            "beliefs, fits to duels and regret are those of KL; TableArena plays the other ones",
        )
        game = as_game(game)
        self._truth = TableArena(game, runs, seed, samples=1, first_run=first_run)
        self.runs, self.prompts, self.responses = runs, game.prompts, game.responses
        self.support = game.support
        self.reference: Policy = self._truth.reference
        self.tabular = features is None
        self.features = _features(features, game)
        self.round, self.rounds, self.bits = 0, 1, 0

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.responses} responses, {self.prompts} prompts, {self.runs} runs, "
            f"round {self.round})"
        )

    # -- policies: no preference needed -----------------------------------------------------------------

    def policy(self, probabilities: ArrayLike) -> Policy:
        """The handle of probabilities float64[Y], float64[X, Y] or float64[S, X, Y]."""
        return self._truth.policy(probabilities)

    def probs(self, policy: Policy) -> NDArray[np.float64]:
        """Probabilities float64[S, X, Y]."""
        return np.exp(policy)

    @property
    def uniform(self) -> Policy:
        """Every response of the game with the same probability."""
        return self.policy(self.support / self.support.sum(axis=1, keepdims=True))

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i, normalised: float64[S, X, Y]. Weights may be negative."""
        return self._truth.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: float64[S, X, Y]. Weights are at least 0 and sum to 1."""
        return self._truth.mixture(*terms)

    def tilt(self, prior: Policy, score: NDArray[np.float64], step: Weight) -> Policy:
        """prior * exp(step * score), normalised: float64[S, X, Y]."""
        return self._truth.tilt(prior, score, step)

    # -- duels ------------------------------------------------------------------------------------------

    def duel(self, first: Policy, second: Policy) -> Evidence:
        """One duel per prompt (`rounds` of them under a lazy schedule): one bit each.

        PairCounts of wins, or in a log-linear class LinearEvidence, which does not grow with the responses.
        """
        truth, wins = self._truth, np.zeros((self.runs, self.prompts, self.responses, self.responses))
        duel_kernels.duels(
            wins, truth.game.skew, first, second, self.rounds, truth.seed, truth.first_run, self.round
        )
        self.bits += self.rounds * self.prompts
        return PairCounts(wins) if self.tabular else LinearEvidence(*collect_evidence(self.features, wins))

    def compare(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """1.0 where response first int64[S, X] beats second int64[S, X], else 0.0: one bit per prompt."""
        truth = self._truth
        self.bits += self.prompts
        return judging.comparisons(truth.game.skew, first, second, truth.seed, truth.first_run, self.round)

    def coins(self) -> NDArray[np.uint64]:
        """The learner's own randomness in this round: keys uint64[S, X] of streams that no duel uses."""
        return judging.coins(self.runs, self.prompts, *self.stream, self.round)

    @property
    def stream(self) -> tuple[int, int]:
        """(seed, number of the first run), which with the round determine all randomness."""
        return self._truth.seed, self._truth.first_run

    def charge(self, rounds: int) -> None:
        """Count one verdict per prompt in each of `rounds` rounds that a kernel has played."""
        self.bits += rounds * self.prompts

    def no_duels(self) -> Evidence:
        """Evidence of no duels, the zero of `+`."""
        shape, D = (self.runs, self.prompts), self.features.shape[2]
        if self.tabular:
            return PairCounts(np.zeros((*shape, self.responses, self.responses)))
        q = D * (D - 1) // 2
        return LinearEvidence(np.zeros((*shape, q, q)), np.zeros((*shape, q)))

    def sample(self, policy: Policy) -> Samples:
        """One response of the policy per prompt (`rounds` of them under a lazy schedule); asks no judge."""
        return Samples(duel_kernels.sampled(policy, self.rounds, *self.stream, self.round))

    def no_samples(self) -> Samples:
        """Samples of no responses, the zero of `+`."""
        return Samples(np.zeros((self.runs, self.prompts, self.responses)))

    def fit_pairs(
        self,
        prior: Policy,
        pairs: Evidence,
        loss: PairLoss,
        beta: Weight,
        samples: Samples | None = None,
        weight: Weight = 0.0,
        bound: float = 3.0,
    ) -> Policy:
        """argmin_pi sum wins * loss(beta * difference of log(pi / prior)) + weight * sum of log pi(samples).

        With samples the loss is the logistic one and pi = prior exp(r / beta) with |r| <= bound: a positive
        weight has no minimum without a bound. Raises ValueError when samples come with another loss, and
        TypeError for evidence of an arena with features.
        """
        if samples is None:
            return self._truth.fit_pairs(prior, _counts(pairs), loss, beta)
        if loss.name != "logistic":
            raise ValueError(f"samples need the logistic loss, got {loss.name}: pass pgames.losses.logistic.")
        weights, betas = (np.full(self.runs, w, dtype=np.float64) for w in (weight, beta))
        return fit_calibrated(prior, _counts(pairs).wins, samples.counts, weights, betas, bound)

    def believe(
        self, evidence: Evidence, optimism: float = 0.0, width: Width = "hoeffding"
    ) -> Belief | LinearBelief:
        """The arena whose preference is estimated from the evidence, plus `optimism` times the width.

        `width` is "hoeffding" or "bernstein" (empirical) on a table; in a log-linear class it is elliptic.
        """
        if isinstance(evidence, LinearEvidence):
            return LinearBelief(self, evidence, optimism)
        return Belief(self, _counts(evidence), optimism, width)

    # -- buffers ----------------------------------------------------------------------------------------

    def empty_buffer(self) -> Buffer:
        """A buffer of no pairs."""
        shape, D = (self.runs, self.prompts), self.features.shape[2]
        return Buffer(
            np.zeros((*shape, self.responses, self.responses)),
            np.broadcast_to(np.eye(D), (*shape, D, D)).copy(),
        )

    def collect(self, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
        """The buffer with `pairs` more pairs per prompt, a response of each policy; asks no judge."""
        truth = self._truth
        met = duel_kernels.drawn_pairs(first, second, pairs, truth.seed, truth.first_run, self.round)
        counts, inverse = buffer.counts.copy(), buffer.inverse.copy()
        fit_kernels.remember(counts, inverse, self.features, met)
        return Buffer(counts, inverse)

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        """Judge `pairs` pairs drawn from the buffer against fresh responses of the opponent (two bits each).

        Unlike `self_duels`, these labels are unbiased for pairs drawn from any distribution.
        """
        truth = self._truth
        chosen, labels = duel_kernels.third_labels(
            truth.game.skew,
            buffer.counts,
            opponent,
            pairs,
            comparators,
            truth.seed,
            truth.first_run,
            self.round,
        )
        self.bits += 2 * pairs * comparators * self.prompts
        return Labels(chosen, labels, np.exp(opponent))

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        """Judge `pairs` pairs of the policy's own responses once: label 1/2 if the first wins, else -1/2.

        E label = P(y > y') - 1/2: valid only because the policy is its own opponent (INPO).
        """
        truth = self._truth
        met, labels = duel_kernels.self_labels(
            truth.game.skew, policy, pairs, truth.seed, truth.first_run, self.round
        )
        self.bits += pairs * self.prompts
        return Labels(met, labels, np.exp(policy))

    def regress(
        self, prior: Policy, evidence: Labels, step: Weight, sft: float = 0.0, ridge: float = 1e-3
    ) -> Policy:
        """The mirror step fitted to labels: argmin mean (d_y - d_y' - step label)^2, d = log pi / prior.

        Two terms are added: ridge |w|^2, where d = features w, so that responses never sampled stay at the
        prior, and the SFT term sft KL(opponent || pi), the expectation over the opponent's own responses. The
        population limit at sft = 0 is the exact mirror step.
        """
        steps = np.full(self.runs, step, dtype=np.float64)
        if self.tabular and sft == 0:
            return fit_kernels.regress_table(prior, evidence.pairs, evidence.labels, steps, ridge)
        return fit_kernels.regress(
            prior, self.features, evidence.pairs, evidence.labels, steps, ridge, sft, evidence.opponent
        )

    def least_known(self, buffer: Buffer, policy: Policy) -> Policy:
        """The response whose difference to `policy` has the largest elliptic width in the buffer."""
        best = fit_kernels.least_known(buffer.inverse, self.features, self.tabular, policy, self.support)
        out = np.full(policy.shape, -np.inf)
        np.put_along_axis(out, best[..., None], 0.0, axis=-1)
        return out

    # -- views ------------------------------------------------------------------------------------------

    def at(self, t: int, rounds: int = 1) -> Self:
        """The arena in round t, for a step that stands for `rounds` rounds."""
        view = copy.copy(self)
        view.round, view.rounds, view.bits = t, rounds, 0
        return view


def _counts(evidence: Evidence) -> PairCounts:
    """The evidence as PairCounts. Raises TypeError for any other type."""
    if not isinstance(evidence, PairCounts):
        raise TypeError(
            f"duels on a table are PairCounts, got {type(evidence).__name__}: pass the result of `duel` on "
            "an arena without features."
        )
    return evidence


def _features(features: ArrayLike | None, game: PreferenceGame) -> NDArray[np.float64]:
    shape = (game.prompts, game.responses)
    if features is None:
        Y = game.responses
        return np.ascontiguousarray(np.broadcast_to(np.eye(Y), (game.prompts, Y, Y)))
    phi = np.ascontiguousarray(real("features", features))
    if phi.ndim != 3 or phi.shape[:2] != shape or phi.shape[2] < 1 or not np.isfinite(phi).all():
        raise ValueError(
            f"features must be finite, of shape [{shape[0]}, {shape[1]}, D], got {list(phi.shape)}."
        )
    return phi
