"""TableArena: the verbs in closed form on a PreferenceGame, for S independent runs side by side."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.arena import AgainstAll, SelfPreferring
from pgames.counts import PairCounts
from pgames.exact.certificates import exploitability
from pgames.games.preference import PreferenceGame, as_game
from pgames.kernels import blocks, streams
from pgames.losses import PairLoss, logistic, minimise
from pgames.meetings import Meetings, matches
from pgames.mixing import Policy as Policy
from pgames.mixing import Simplices
from pgames.numerics import check_seed, check_whole
from pgames.regularisers import KL, Regulariser, check_regulariser
from pgames.solver import Weight
from pgames.table import populations
from pgames.table.judged import JudgedArena
from pgames.table.regularised import RegularisedSimplices


class TableArena:
    """An arena whose policies are log-probabilities float64[S, X, Y].

    Parameters
    ----------
    game : the preference game, or its table P float64[Y, Y] or float64[X, Y, Y].
    runs : S, independent runs computed side by side. A hyper-parameter may be float64[S].
    seed : all randomness is a function of (seed, run, round) and of the policies compared.
    samples : None for exact feedback; m for win rates that are means of m Bernoulli duels.
    expert : float64[X, Y], the distribution of demonstrations (used only by SPIN).
    first_run : the number of the first run, so that an experiment can be split without repeating streams.
    regulariser : D in the penalty tau D(policy, reference), one of `pgames.regularisers`. It sets the
        geometry of the arena: `mirror_step` and `tilt` penalise by D, `geometric_mixture` mixes in the dual
        coordinates of D, and `exploitability` measures the game regularised by D. Solvers do not change.

    Raises TypeError when `game` is neither or the regulariser has no exact mirror step, and ValueError when a
    number is out of range or the table is not a preference game.
    """

    def __init__(
        self,
        game: PreferenceGame | ArrayLike,
        runs: int = 1,
        seed: int = 0,
        samples: int | None = None,
        expert: ArrayLike | None = None,
        first_run: int = 0,
        regulariser: Regulariser = KL(),  # noqa: B008
    ):
        game = as_game(game)
        check_whole("runs", runs, 1)
        if samples is not None:
            check_whole("samples (None for exact feedback)", samples, 1)
        check_seed("seed", seed)
        check_seed("first_run", first_run)
        self.game, self.runs, self.seed, self.samples, self.first_run = game, runs, seed, samples, first_run
        self.round = 0
        self.regulariser = check_regulariser(regulariser)
        self.simplices = (
            Simplices(runs, game.support)
            if regulariser == KL()
            else RegularisedSimplices(runs, game.support, game.reference, regulariser)
        )
        self.reference: Policy = self.policy(game.reference)
        self.expert: Policy | None = None if expert is None else self.policy(expert)

    def __repr__(self) -> str:
        feedback = "exact" if self.samples is None else f"{self.samples} samples"
        return (
            f"TableArena({self.game.responses} responses, {self.game.prompts} prompts, {self.runs} runs, "
            f"{feedback} feedback, seed={self.seed})"
        )

    # -- policies ---------------------------------------------------------------------------------------

    def policy(self, probabilities: ArrayLike) -> Policy:
        """The handle of probabilities float64[Y], float64[X, Y] or float64[S, X, Y].

        Raises ValueError when the shape differs, a row is not a distribution, or mass lies outside the game.
        """
        return self.simplices.policy(probabilities)

    def probs(self, policy: Policy) -> NDArray[np.float64]:
        """Probabilities float64[S, X, Y]."""
        return np.exp(policy)

    # -- verbs ------------------------------------------------------------------------------------------

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i, normalised: float64[S, X, Y]. Weights may be negative; all 0 is uniform.

        With a regulariser other than KL it is the policy whose dual coordinates phi' are the weighted sum of
        theirs, up to a constant. Raises ValueError without terms, or for a weight that is not finite and a
        number or float64[S].
        """
        return self.simplices.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: float64[S, X, Y], log-probabilities.

        Raises ValueError without terms, or unless the weights are at least 0 and sum to 1.
        """
        return self.simplices.mixture(*terms)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step = prior exp(step P(. > opponent)), normalised.

        float64[S, X, Y]; D(pi, prior) of the arena's regulariser takes the place of the KL. step = inf is the
        prior restricted to the best responses. With `samples` the win rates are means of so many duels with
        draws of the opponent. Raises ValueError for a NaN step.
        """
        if isinstance(step, (float, int)) and step == np.inf:
            return self.simplices.best_response(prior, self.rates(opponent))
        if self.samples is None and self.regulariser == KL():
            return blocks.mirror_step(self.game.skew, prior, opponent, self.simplices.per_run(step))
        return self.simplices.tilt(prior, self.rates(opponent), step)

    def win_rate(self, first: Policy, second: Policy) -> NDArray[np.float64]:
        """P(first > second), float64[S], averaged over prompts."""
        if self.samples is None:
            per_prompt = (np.exp(first) * self.rates(second)).sum(axis=-1)
        else:
            per_prompt = streams.sampled_win_rate(
                self.game.skew, first, second, self.samples, self.seed, self.first_run, self.round
            )
        return (per_prompt * self.game.prompt_weights).sum(axis=-1)

    def rates(self, policy: Policy) -> NDArray[np.float64]:
        """P(y > policy) of every response y, float64[S, X, Y]; with `samples`, means of so many duels."""
        if self.samples is None:
            return blocks.win_rates(self.game.skew, policy)
        return streams.sampled_win_rates(
            self.game.skew, policy, self.samples, self.seed, self.first_run, self.round
        )

    def duel(self, first: Policy, second: Policy) -> PairCounts:
        """The outcomes of `samples` duels per run and prompt; with exact feedback, the expectation of one."""
        if self.samples is not None:
            return PairCounts(
                streams.sampled_duels(
                    self.game.skew, first, second, self.samples, self.seed, self.first_run, self.round
                )
            )
        met = np.exp(first)[..., :, None] * np.exp(second)[..., None, :]
        return PairCounts(met * self.game.P + np.swapaxes(met, -1, -2) * self.game.P)

    def demonstrate(self, winner: Policy, loser: Policy) -> PairCounts:
        """The expectation of one pair, a response of each, the first declared the winner; asks no judge."""
        return PairCounts(np.exp(winner)[..., :, None] * np.exp(loser)[..., None, :])

    def fit_pairs(self, prior: Policy, pairs: PairCounts, loss: PairLoss, beta: Weight) -> Policy:
        """argmin_pi sum wins * loss(beta * (d_y - d_z)), d = log pi / prior; d = 0 where nothing was seen.

        With a regulariser other than KL, d = phi'(pi) - phi'(prior): with ChiSquare(kl=1) it is chi-PO.
        """
        return self.tilt(prior, minimise(loss, pairs.wins), 1 / np.asarray(beta))

    def fit_reward(self, pairs: PairCounts) -> NDArray[np.float64]:
        """Bradley-Terry scores float64[S, X, Y], centred, by maximum likelihood."""
        return minimise(logistic, pairs.wins)

    def tilt(self, prior: Policy, score: NDArray[np.float64], step: Weight) -> Policy:
        """prior * exp(step * score), normalised: float64[S, X, Y]; score float64[S, X, Y] or less.

        With a regulariser other than KL it is argmax_pi <score, pi> - D(pi, prior) / step.
        """
        return self.simplices.tilt(prior, score, step)

    # -- populations ------------------------------------------------------------------------------------

    def win_rates(self, firsts: Sequence[Policy], seconds: Sequence[Policy]) -> NDArray[np.float64]:
        """P(first > second) of every pair, float64[S, K, L] in [0, 1], averaged over prompts."""
        if self.samples is None:
            return populations.exact_rates(self.game, firsts, seconds)
        rows = [np.stack([self.win_rate(first, second) for second in seconds], axis=-1) for first in firsts]
        return np.stack(rows, axis=1)

    def meet(self, members: Sequence[Policy], pairs: ArrayLike) -> Meetings:
        """What members won in the matches int64[B, 2], exactly or in `samples` duels per prompt and match.

        A pair in either order is one pair, and may stand several times. Raises ValueError when `pairs` does
        not name members by their numbers.
        """
        times = matches(len(members), pairs)
        if self.samples is None:
            return populations.exact_meetings(self.game, members, times)
        draws = populations.Draws(self.samples, self.seed, self.first_run, self.round)
        return populations.sampled_meetings(self.game, members, times, draws)

    def against_all(self, members: Sequence[Policy]) -> AgainstAll[Policy]:
        """The least exploitable mixture of the members, by `pgames.exact.shared_row`, whatever the feedback.

        With several prompts the weights are shared by the prompts, and the opponent has a policy for each.
        """
        weights, opponent, gaps = populations.against_all(self.game, members)
        return AgainstAll(weights, self.policy(opponent), gaps)

    # -- views ------------------------------------------------------------------------------------------

    def exploitability(self, policy: Policy, tau: Weight = 0.0) -> NDArray[np.float64]:
        """max_p J_tau(p, pi) - 1/2 per run, float64[S], computed exactly even when feedback is sampled.

        tau : the weight of the arena's regulariser: a number, at least 0, or float64[S], one per run.

        Raises ValueError when tau is neither, or `policy` is none of this game.
        """
        p, regulariser = self.probs(policy), self.regulariser
        if np.ndim(tau) == 0:
            return np.asarray(exploitability(self.game, p, float(tau), regulariser=regulariser))
        if np.shape(tau) != (len(p),):
            raise ValueError(
                f"tau must be one number or one for each of {len(p)} runs, got shape {list(np.shape(tau))}."
            )
        taus = np.asarray(tau).tolist()
        return np.concatenate(
            [
                exploitability(self.game, p[s : s + 1], one, regulariser=regulariser)
                for s, one in enumerate(taus)
            ]
        )

    def at(self, t: int) -> Self:
        """The arena in round t: itself with exact feedback, else a view whose duels are those of round t."""
        if self.samples is None:
            return self
        view = copy.copy(self)
        view.round = t
        return view

    def anchored(self, reference: Policy) -> Self:
        """The same game regularised to another policy float64[S, X, Y].

        The divergence D(pi, reference) stays the one whose base is the reference of the game.
        """
        view = copy.copy(self)
        view.reference = reference
        return view

    def judged_by(
        self, panel: Sequence[SelfPreferring[Policy]], weights: ArrayLike | None = None
    ) -> JudgedArena:
        """The same policies under the preference of a panel of judges that are policies.

        A judge answers sigma(logit P + bias (log pi(y) - log pi(z))), the panel with the mean of its judges,
        by `weights` float64[J] or float64[S, J], equal when None. Raises ValueError without a judge, for a
        policy of another shape, a bias that is not finite, weights that are negative or all 0, and on an
        arena whose regulariser is not KL: a judge's preference for itself is a difference of
        log-probabilities.
        """
        if self.regulariser != KL():
            raise ValueError(
                f"judged_by needs the regulariser KL, got {self.regulariser.name}: a judge prefers itself by "
                "a difference of log-probabilities."
            )
        draws = None
        if self.samples is not None:
            draws = populations.Draws(self.samples, self.seed, self.first_run, self.round)
        return JudgedArena(self.game, self.reference, panel, weights, draws)
