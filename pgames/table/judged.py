"""JudgedArena: the policies of a table under the verdicts of judges that are policies themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.arena import SelfPreferring
from pgames.games.preference import PreferenceGame
from pgames.kernels import streams
from pgames.mixing import Simplices
from pgames.numerics import real, sigmoid
from pgames.solver import Weight
from pgames.table.belief_kernels import expected_rates
from pgames.table.populations import Draws

Array = NDArray[np.float64]


class JudgedArena:
    """An arena whose preference is what a panel of self-preferring judges says of the game.

    A judge with policy pi and bias b answers sigma(logit P(y, z) + b (log pi(y) - log pi(z))); the panel
    answers with the weighted mean. A pair whose winner is certain is judged right by everybody.
    `preferences` float64[S, X, Y, Y] are the panel's verdicts, a table for every run. Policies stay those of
    the arena, whose own verbs measure them by the true preference; made by `TableArena.judged_by`.

    Raises ValueError as `judged_by` says.
    """

    def __init__(
        self,
        game: PreferenceGame,
        reference: Array,
        panel: Sequence[SelfPreferring[Array]],
        weights: ArrayLike | None = None,
        draws: Draws | None = None,
    ):
        if not len(panel):
            raise ValueError("a panel needs at least one judge, got none.")
        runs = len(reference)
        shares = panel_weights(weights, len(panel), runs)
        rates = np.zeros((runs, game.prompts, game.responses, game.responses))
        for share, judge in zip(shares.T, panel, strict=True):
            rates += share[:, None, None, None] * self_preferring(game, judge, runs)
        self.preferences = np.clip(rates, 0.0, 1.0, out=rates)  # sums leave [0, 1] by rounding
        self.reference = reference
        self._simplices, self._prompt_weights = Simplices(runs, game.support), game.prompt_weights
        self._draws = draws

    def probs(self, policy: Array) -> Array:
        """Probabilities float64[S, X, Y]."""
        return np.exp(policy)

    def policy(self, probabilities: ArrayLike) -> Array:
        """The handle of probabilities float64[Y], float64[X, Y] or float64[S, X, Y].

        Raises ValueError when the shape differs, a row is not a distribution, or mass lies outside the game.
        """
        return self._simplices.policy(probabilities)

    def geometric_mixture(self, *terms: tuple[Weight, Array]) -> Array:
        """prod_i pi_i ** w_i, normalised: float64[S, X, Y]. Weights may be negative."""
        return self._simplices.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Array]) -> Array:
        """sum_i w_i pi_i: float64[S, X, Y]. Weights are at least 0 and sum to 1."""
        return self._simplices.mixture(*terms)

    def mirror_step(self, prior: Array, opponent: Array, step: Weight) -> Array:
        """prior exp(step P(. > opponent)), normalised, P as the panel judges: float64[S, X, Y].

        step = inf is the prior restricted to the best responses. Raises ValueError for a NaN step.
        """
        rates = self.rates(opponent)
        if isinstance(step, (float, int)) and step == np.inf:
            return self._simplices.best_response(prior, rates)
        return self._simplices.tilt(prior, rates, step)

    def rates(self, policy: Array) -> Array:
        """The panel's P(y > policy), float64[S, X, Y]; with `samples` means of duels."""
        if self._draws is None:
            return expected_rates(self.preferences, policy)
        return self._run_by_run(streams.sampled_win_rates, policy)

    def win_rate(self, first: Array, second: Array) -> Array:
        """The panel's P(first > second), float64[S], averaged over prompts."""
        if self._draws is None:
            per_prompt = (np.exp(first) * self.rates(second)).sum(axis=-1)
        else:
            per_prompt = self._run_by_run(streams.sampled_win_rate, first, second)
        return (per_prompt * self._prompt_weights).sum(axis=-1)

    def verdicts(self, prompt: ArrayLike, first: ArrayLike, second: ArrayLike) -> Array:
        """The panel's P(first > second), float64[S, N], of responses int64[N] to prompts int64[N].

        Raises ValueError for a number outside the game.
        """
        x, y, z = (np.asarray(numbers) for numbers in (prompt, first, second))
        _, prompts, responses, _ = self.preferences.shape
        for what, numbers, limit in (
            ("prompt", x, prompts),
            ("response", y, responses),
            ("response", z, responses),
        ):
            if numbers.size and not (numbers.min() >= 0 and numbers.max() < limit):
                raise ValueError(f"there is no {what} {numbers.max()}: the game has {limit}.")
        return self.preferences[:, x, y, z]

    def at(self, t: int) -> JudgedArena:
        """The arena in round t: itself with exact feedback."""
        if self._draws is None:
            return self
        view = copy.copy(self)
        view._draws = self._draws._replace(round=t)
        return view

    def anchored(self, reference: Array) -> JudgedArena:
        """The same verdicts, regularised to another policy float64[S, X, Y]."""
        view = copy.copy(self)
        view.reference = reference
        return view

    def _run_by_run(self, sampled: Callable[..., Array], *policies: Array) -> Array:
        """`sampled` win rates, each run under its own table, with the streams of `TableArena`."""
        assert self._draws is not None
        samples, seed, first_run, t = self._draws
        return np.concatenate(
            [
                sampled(table - 0.5, *(p[s : s + 1] for p in policies), samples, seed, first_run + s, t)
                for s, table in enumerate(self.preferences)
            ]
        )


def self_preferring(game: PreferenceGame, judge: SelfPreferring[Array], runs: int) -> Array:
    """sigma(logit P(y, z) + b (log pi(y) - log pi(z))), float64[S, X, Y, Y], of one judge.

    The verdict on a certain pair stays certain. Of two responses that the judge never gives, neither is
    preferred. Raises ValueError for a policy of another shape, or a bias that is not finite.
    """
    policy = real("the policy of a judge", judge.policy)
    shape = (runs, game.prompts, game.responses)
    if policy.shape != shape:
        raise ValueError(
            f"the policy of a judge has shape {list(policy.shape)}, the arena's policies {list(shape)}: pass "
            "log-probabilities of the same game and runs."
        )
    bias = np.broadcast_to(real("the bias of a judge", judge.bias), (runs,))
    if not np.isfinite(bias).all():
        raise ValueError(f"the bias of a judge must be finite, got {judge.bias}: 0 is a fair judge.")
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(game.P) - np.log1p(-game.P)
        own = bias[:, None, None, None] * (policy[..., :, None] - policy[..., None, :])
        given = sigmoid(odds + np.where(np.isnan(own), 0.0, own))
    return np.where(np.isinf(odds), game.P, given)


def panel_weights(weights: ArrayLike | None, judges: int, runs: int) -> Array:
    """Shares float64[S, J] of sum 1, from weights float64[J] or float64[S, J]; equal shares when None.

    Raises ValueError for another shape, a weight that is negative or not finite, or weights all 0.
    """
    given = np.ones(judges) if weights is None else real("weights of a panel", weights)
    if given.shape not in ((judges,), (runs, judges)):
        raise ValueError(
            f"weights of a panel must have shape [{judges}] or [{runs}, {judges}], one per judge, got "
            f"{list(given.shape)}."
        )
    if not ((given >= 0) & (given < np.inf)).all():
        raise ValueError(f"weights of a panel must be finite and at least 0, got {given.tolist()}.")
    shares = np.broadcast_to(given, (runs, judges))
    total = shares.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise ValueError(
            f"the weights of the panel are all 0 in run {int(np.argmin(total))}, so nobody judges: leave the "
            "weights out, or add a judge that is trusted."
        )
    return shares / total
