"""RoleArena: the verbs in closed form on a game of two roles, for S independent runs side by side."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.arena import AgainstAll, Pair, Role
from pgames.mixing import Policy, Simplices, check_members
from pgames.numerics import check_seed, check_whole, real
from pgames.regularisers import KL, Regulariser, check_kl
from pgames.roles import certificates, populations
from pgames.roles.matrix import MatrixRoles
from pgames.roles.meetings import RoleMeetings, role_matches
from pgames.roles.prompts import PromptRoles
from pgames.solver import Weight

PAIRS = ("pairs", "[S, C, N]", "arena.pair")  # members of a population: what, their shape, their maker
ROWS = {"attacker": slice(0, 1), "defender": slice(1, None)}  # the contexts of each role


class RoleArena:
    """An arena whose policies are pairs of an attacker and a defender, log-probabilities float64[S, C, N].

    Two pairs meet twice, each attacking once. So a pair is one policy of a symmetric game, and every solver
    of the mirror family plays a zero-sum game of two players.

    Parameters
    ----------
    game : MatrixRoles or PromptRoles; it is kept as `roles`.
    runs : S, independent runs computed side by side. A hyper-parameter may be float64[S].
    seed : all randomness is a function of (seed, run, round) and of the policies that meet.
    samples : None for exact feedback; m for success rates that are means of m verdicts.
    tempers : factors, above 0, on the success rates that the attacker and the defender see in a mirror step.
        The tau of a solver is then tau / temper for that role.
    first_run : the number of the first run, so that an experiment can be split without repeating streams.
    regulariser : KL(), the only one here: the equilibrium that certifies a run is known for no other.

    Raises TypeError when `game` is not a game of two roles, and ValueError when a number is out of range or
    the regulariser is another.
    """

    def __init__(
        self,
        game: MatrixRoles | PromptRoles,
        runs: int = 1,
        seed: int = 0,
        samples: int | None = None,
        tempers: tuple[float, float] = (1.0, 1.0),
        first_run: int = 0,
        regulariser: Regulariser = KL(),  # noqa: B008
    ):
        check_kl(
            regulariser, "RoleArena", "the exact pair is known for KL alone; TableArena plays the other ones"
        )
        if not isinstance(game, MatrixRoles | PromptRoles):
            raise TypeError(
                f"RoleArena needs a game of two roles, got {type(game).__name__}: pass MatrixRoles(A) or "
                "PromptRoles(R)."
            )
        check_whole("runs", runs, 1)
        if samples is not None:
            check_whole("samples (None for exact feedback)", samples, 1)
        check_seed("seed", seed)
        check_seed("first_run", first_run)
        factors = np.asarray(tempers, dtype=np.float64)
        if factors.shape != (2,) or not (np.isfinite(factors) & (factors > 0)).all():
            raise ValueError(f"tempers must be two numbers above 0, of attacker and defender, got {tempers}.")
        self.roles, self.runs, self.seed, self.samples, self.first_run = game, runs, seed, samples, first_run
        self.tempers = Pair(float(factors[0]), float(factors[1]))
        self.round = 0
        self.simplices = Simplices(runs, game.support)
        self._held: tuple[slice, Policy] | None = None
        self.reference: Policy = self.policy(game.reference)

    # -- policies ---------------------------------------------------------------------------------------

    def policy(self, probabilities: ArrayLike) -> Policy:
        """The handle of probabilities float64[C, N] or float64[S, C, N], padded by zeros.

        Raises ValueError when the shape differs, a row is not a distribution, or mass lies outside the game.
        """
        return self._kept(self.simplices.policy(probabilities))

    def pair(self, attacker: ArrayLike, defender: ArrayLike) -> Policy:
        """The handle of the probabilities of both roles, each float64[...] in the shape of `halves`.

        Raises ValueError as `policy` does.
        """
        return self.policy(self.roles.table(attacker, defender))

    def probs(self, policy: Policy) -> NDArray[np.float64]:
        """Probabilities float64[S, C, N], 0 in the padding."""
        return np.exp(policy)

    def halves(self, policy: Policy) -> Pair[NDArray[np.float64]]:
        """The probabilities of both roles.

        float64[S, m] and float64[S, n] of a matrix; float64[S, X] and float64[S, X, Y] of prompts.
        """
        return Pair(*self.roles.halves(np.exp(policy)))

    # -- verbs ------------------------------------------------------------------------------------------

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i, role by role, normalised: float64[S, C, N]. Weights may be negative.

        Raises ValueError without terms, or for a weight that is not finite and a number or float64[S].
        """
        return self._kept(self.simplices.geometric_mixture(*terms))

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i, role by role: float64[S, C, N], log-probabilities.

        Raises ValueError without terms, or unless the weights are at least 0 and sum to 1.
        """
        return self._kept(self.simplices.mixture(*terms))

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """Each role of the prior, tilted by its success against the other role of the opponent.

        prior exp(step rate), normalised: float64[S, C, N]. step = inf is the prior restricted to the best
        responses. With `samples` the rates are means of so many verdicts. Raises ValueError for a NaN step.
        """
        rates = self.rates(opponent)
        if isinstance(step, (float, int)) and step == np.inf:
            return self._kept(self.simplices.best_response(prior, rates))
        return self._kept(self.simplices.tilt(prior, rates, step))

    def rates(self, policy: Policy) -> NDArray[np.float64]:
        """The success rate of every strategy against the other role of the policy: float64[S, C, N].

        With `samples` it is the mean of so many verdicts. A role's rates are multiplied by its temper.
        """
        met = self._kept(policy)
        if self.samples is None:
            rates = self.roles.rates(met)
        else:
            rates = self.roles.sampled_rates(met, self.samples, self.seed, self.first_run, self.round)
        if self.tempers == (1.0, 1.0):
            return rates
        factors = np.full(rates.shape[1], self.tempers.defender)
        factors[0] = self.tempers.attacker
        return rates * factors[:, None]

    def win_rate(self, first: Policy, second: Policy) -> NDArray[np.float64]:
        """The mean over both roles of what `first` wins, float64[S]: 1/2 for two equal pairs."""
        attacked, defended = self._won(first, second)
        return 0.5 * (attacked + defended)

    def win_rates(self, firsts: Sequence[Policy], seconds: Sequence[Policy]) -> NDArray[np.float64]:
        """P(first > second) of every two pairs, float64[S, K, L] in [0, 1]: the mean over both roles.

        Raises ValueError when there is no member, or one has another shape than the first.
        """
        check_members([*firsts, *seconds] if len(firsts) and len(seconds) else [], *PAIRS)
        rows = [np.stack([self.win_rate(first, second) for second in seconds], axis=-1) for first in firsts]
        return np.clip(np.stack(rows, axis=1), 0.0, 1.0)  # sums leave [0, 1] by rounding

    def meet(self, members: Sequence[Policy], pairs: ArrayLike) -> RoleMeetings:
        """What pairs of roles won in the matches int64[B, 2], exactly or in `samples` attacks each way.

        A match in either order is one match, and may stand several times. The attacker of a member that
        meets somebody, or is alone, also meets its own defender, so that attackers and defenders can be
        weighed apart.

        Raises ValueError when `pairs` does not name members by their numbers, and as `win_rates` does.
        """
        check_members(members, *PAIRS)
        K, times = len(members), role_matches(len(members), pairs)
        success, games = np.full((self.runs, K, K), np.nan), np.zeros((self.runs, K, K))
        for i, j in np.argwhere(np.triu(times)):
            attacked, defended = self._won(members[i], members[j], int(times[i, j]))
            played = np.inf if self.samples is None else times[i, j] * self.samples
            for attacker, defender, won in ((i, j, attacked), (j, i, 1 - defended)):
                success[:, attacker, defender] = np.clip(won, 0.0, 1.0)  # sums leave [0, 1] by rounding
                games[:, attacker, defender] = played
        return RoleMeetings.of_success(success, games)

    def against_all(self, members: Sequence[Policy]) -> AgainstAll[Policy]:
        """The least exploitable mixtures of attackers and of defenders, whatever the feedback.

        Each role's members meet all strategies of the other (`pgames.exact.shared_row`), so the weights are
        float64[S, 2, K], of attackers and of defenders.

        Raises ValueError in a view of one role, and as `win_rates` does.
        """
        if self._held is not None:
            raise ValueError("against_all needs both roles: ask the arena itself, not a view of one role.")
        check_members(members, *PAIRS)
        weights, opponent, gaps = populations.against_all(self.roles, members)
        return AgainstAll(weights, self.policy(opponent), gaps)

    def join(self, attacker: Policy, defender: Policy) -> Policy:
        """The attacker of the first pair with the defender of the second: float64[S, C, N].

        Raises ValueError when the two have different shapes.
        """
        if np.shape(attacker) != np.shape(defender):
            raise ValueError(
                f"the pairs to join must have one shape, got {list(np.shape(attacker))} and "
                f"{list(np.shape(defender))}."
            )
        out = np.array(defender)
        out[:, ROWS["attacker"]] = attacker[:, ROWS["attacker"]]
        return self._kept(out)

    # -- views ------------------------------------------------------------------------------------------

    def gains(self, policy: Policy, tau: Weight = 0.0) -> Pair[NDArray[np.float64]]:
        """What a best response of each role gains, at least 0: float64[S]; 0 for a role that is held.

        In units of success rates, computed exactly even when feedback is sampled. tau : a number, at least 0,
        or float64[S]; a role's KL has the weight tau / temper. Raises ValueError for another tau.
        """
        taus: Pair[Weight] = Pair(*(real("tau", tau) / temper for temper in self.tempers))
        found = certificates.gains(self.roles, self.reference, self._kept(policy), taus)
        if self._held is None:
            return found
        held = "attacker" if self._held[0] == ROWS["attacker"] else "defender"
        return found._replace(**{held: np.zeros(self.runs)})

    def exploitability(self, policy: Policy, tau: Weight = 0.0) -> NDArray[np.float64]:
        """Half the sum of `gains`, float64[S]: max_p J_tau(p, pi) - 1/2 of the symmetric game of pairs."""
        attacker, defender = self.gains(policy, tau)
        return 0.5 * (attacker + defender)

    def at(self, t: int) -> Self:
        """The arena in round t: itself with exact feedback, else a view with the verdicts of round t."""
        if self.samples is None:
            return self
        view = copy.copy(self)
        view.round = t
        return view

    def anchored(self, reference: Policy) -> Self:
        """The same game regularised to another pair float64[S, C, N]."""
        view = copy.copy(self)
        view.reference = self._kept(reference)
        return view

    def only(self, role: Role, at: Policy) -> Self:
        """The game of one role: the other is that of `at` in every policy that the view returns or meets.

        The view of a view holds what was asked last. Raises ValueError for a role that is neither "attacker"
        nor "defender".
        """
        if role not in ROWS:
            raise ValueError(f'role must be "attacker" or "defender", got {role!r}.')
        view = copy.copy(self)
        view._held = (ROWS["defender" if role == "attacker" else "attacker"], at)
        view.reference = view._kept(self.reference)
        return view

    # -- inside -----------------------------------------------------------------------------------------

    def _won(self, first: Policy, second: Policy, matches: int = 1) -> Pair[NDArray[np.float64]]:
        """What `first` wins in each role, float64[S], in so many matches of `samples` attacks each way."""
        first, second = self._kept(first), self._kept(second)
        if self.samples is None:
            values = (np.exp(first) * self.roles.rates(second)).sum(axis=-1)
            return certificates.by_role(self.roles, values, second)
        count = matches * self.samples
        won = self.roles.sampled_wins(first, second, count, self.seed, self.first_run, self.round)
        return Pair(won[:, 0], won[:, 1])

    def _kept(self, policy: Policy) -> Policy:
        """The policy with the role that is held put in its place."""
        if self._held is None:
            return policy
        rows, at = self._held
        out = np.array(policy)
        out[:, rows] = at[:, rows]
        return out
