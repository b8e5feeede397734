"""The contract: the members of an arena that a solver may call, as one protocol per capability.

A policy is an opaque handle. A solver never touches a probability, a token or a gradient, so the same
solver object drives a table (`pgames.TableArena`) and a language model (`llm_backend.TextArena`). Duels,
samples, buffers, labels and scores are opaque too: an arena returns them and takes them back.

A weight, a step or a tau is one number or float64[S], one per run. On a table a policy is float64[S, X, Y],
log-probabilities of Y responses to X prompts in S runs; on text it is a handle to weights.

Two roles, an attacker and a defender, are one policy, the pair. Two pairs meet twice, each of them attacking
once. On a table the pair is float64[S, C, N], one row for every context of a role, -inf where a role has
fewer than N strategies; on text it is `Pair(attacker, defender)` of two handles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Literal, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pgames.losses import PairLoss
from pgames.meetings import Meetings
from pgames.solver import Pi, Weight

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
Width = Literal["hoeffding", "bernstein"]  # the kind of a belief's confidence intervals
Role = Literal["attacker", "defender"]
T_co = TypeVar("T_co", covariant=True)


class Pair(NamedTuple, Generic[T_co]):
    """One value for each role: a policy, a gain, a temperature."""

    attacker: T_co
    defender: T_co


class Evidence(Protocol):
    """Duels or samples, which pool with `+`."""

    def __add__(self, other: Self, /) -> Self:
        """The union of both."""
        ...


Duels = TypeVar("Duels", bound=Evidence)  # judged pairs of responses
Judged = TypeVar("Judged", bound=Evidence, covariant=True)  # duels, where an arena only returns them
Pairs = TypeVar("Pairs", bound=Evidence, contravariant=True)  # duels, where an arena only takes them
Samples = TypeVar("Samples", bound=Evidence)  # responses without verdicts
Buffer = TypeVar("Buffer")  # pairs of responses to be judged later
Labels = TypeVar("Labels")  # judged pairs of a buffer, to regress on
Score = TypeVar("Score")  # a reward of every response
Rule = TypeVar("Rule", contravariant=True)  # a rule by which a search chooses, such as `pgames.PUCT`
Answer = TypeVar("Answer", covariant=True)  # a policy that a search returns


# -- policies: no preference is asked for ----------------------------------------------------------------


class Blending(Protocol[Pi]):
    """Policies can be blended."""

    @property
    def reference(self) -> Pi:
        """The policy to which the game is regularised."""
        ...

    def geometric_mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """prod_i pi_i ** w_i, normalised. Weights may be negative."""
        ...


class Mixing(Blending[Pi], Protocol[Pi]):
    """Mixed strategies can be made of policies."""

    def mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """sum_i w_i pi_i: a mixed strategy. Weights are at least 0 and sum to 1."""
        ...


class Anchoring(Blending[Pi], Protocol[Pi]):
    """The reference can be moved."""

    def anchored(self, reference: Pi) -> Self:
        """The same game regularised to another policy."""
        ...


# -- preferring: the preference is available, exactly or through a judge ---------------------------------


class Preferring(Blending[Pi], Protocol[Pi]):
    """A policy can be improved against another."""

    def mirror_step(self, prior: Pi, opponent: Pi, step: Weight) -> Pi:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step; step = inf is the best response."""
        ...


class Averaging(Preferring[Pi], Mixing[Pi], Protocol[Pi]):
    """A policy can be improved, and mixed with those before it."""


class Arena(Averaging[Pi], Anchoring[Pi], Protocol[Pi]):
    """A preference game with every verb that `check_arena` tests."""

    def win_rate(self, first: Pi, second: Pi) -> Weight:
        """P(first > second), averaged over prompts: a number, or float64[S]."""
        ...

    def at(self, t: int) -> Self:
        """The arena in round t: its randomness is a function of (seed, run, t)."""
        ...


class PopulationArena(Arena[Pi], Protocol[Pi]):
    """Many policies meet in one question, in which pairs share what they can: products, or draws."""

    def win_rates(self, firsts: Sequence[Pi], seconds: Sequence[Pi]) -> Table:
        """P(first > second) of every pair, float64[S, K, L], averaged over prompts."""
        ...

    def meet(self, members: Sequence[Pi], pairs: NDArray[np.int64]) -> Meetings:
        """What the members won in the matches int64[B, 2] of pairs of their numbers; a pair may stand twice.

        Exact feedback gives exact rates of infinitely many games. Meetings add up over rounds.
        """
        ...


class AgainstAll(NamedTuple, Generic[Pi]):
    """The mixture of some members that plays best against every response of the game.

    weights : float64[S, K], at least 0, each row of sum 1; float64[S, 2, K] of pairs, whose attackers and
        defenders are weighed apart.
    opponent : the policy that holds every member to the value: the other side's strategy.
    exploitability : float64[S], of the mixture, in the unregularised game.
    """

    weights: Table
    opponent: Pi
    exploitability: Table


class ListedPopulation(PopulationArena[Pi], Protocol[Pi]):
    """Members can meet every response of the game, because the responses can be listed."""

    def against_all(self, members: Sequence[Pi]) -> AgainstAll[Pi]:
        """The least exploitable mixture of the members, at most as exploitable as the best of them."""
        ...


class SelfPreferring(NamedTuple, Generic[Pi]):
    """A judge that is a policy, and prefers what it would say itself.

    Its verdict is sigma(logit P(y, z) + bias (log policy(y) - log policy(z))).

    policy : what the judge would say.
    bias : at least 0, or float64[S]; 0 is a fair judge.
    """

    policy: Pi
    bias: Weight


class PanelArena(Arena[Pi], Protocol[Pi]):
    """The game as a panel of judges sees it, with their verdicts on listed responses."""

    def verdicts(self, prompt: Numbers, first: Numbers, second: Numbers) -> Table:
        """P(first > second), float64[S, N], of responses int64[N] to prompts int64[N]."""
        ...


class Judging(Arena[Pi], Protocol[Pi]):
    """Policies can judge: the same game as a panel of them sees it."""

    def judged_by(self, panel: Sequence[SelfPreferring[Pi]], weights: Table | None = None) -> PanelArena[Pi]:
        """The same policies under the panel's preference; weights float64[J] or float64[S, J], or equal."""
        ...


class Listed(Mixing[Pi], Protocol[Pi]):
    """The responses can be listed: every response has a win rate, and a policy can be read and written."""

    def rates(self, policy: Pi, /) -> Table:
        """P(y > policy) of every response y, float64[S, X, Y] in [0, 1]."""
        ...

    def probs(self, policy: Pi, /) -> Table:
        """Probabilities float64[S, X, Y]."""
        ...

    def policy(self, probabilities: Table, /) -> Pi:
        """The handle of probabilities float64[S, X, Y]."""
        ...


class Measuring(Mixing[Pi], Protocol[Pi]):
    """A policy's exploitability is known exactly."""

    def exploitability(self, policy: Pi, tau: float = 0.0) -> Weight:
        """max_p J_tau(p, policy) - 1/2, at least 0: a number, or float64[S]."""
        ...


# -- opposing: a policy is a pair of roles -----------------------------------------------------------------


class Opposing(Arena[Pi], Protocol[Pi]):
    """A policy is a pair, an attacker and a defender, and one role can be trained while the other rests.

    `win_rate(first, second)` is the mean over roles of what `first` wins in that role: half the success of
    its attacks on the defender of `second`, plus half of what its defender survives. `mirror_step(prior,
    opponent, step)` is one step for each role of the prior, against the other role of the opponent; a role's
    reward is its own success rate, not halved. Mixtures are taken role by role.
    """

    def only(self, role: Role, at: Pi) -> Opposing[Pi]:
        """The game of one role: in every policy it returns or meets, the other role is that of `at`."""
        ...

    def join(self, attacker: Pi, defender: Pi) -> Pi:
        """The pair of the attacker of the first pair and the defender of the second."""
        ...


class OpposingMeasured(Opposing[Pi], Measuring[Pi], Protocol[Pi]):
    """What a best response of each role gains is known exactly; exploitability is half the sum."""

    def gains(self, policy: Pi, tau: Weight = 0.0) -> Pair[Weight]:
        """What each role gains by its best response to the other, at least 0; 0 for a role that is held."""
        ...


# -- searching: which responses are judged is decided one at a time ------------------------------------------


class Finding(Protocol[Answer]):
    """What a search found."""

    @property
    def policy(self) -> Answer:
        """The shares of visits: a policy of the responses that were simulated."""
        ...

    @property
    def judged(self) -> int:
        """The verdicts that were asked for."""
        ...


class Searching(Mixing[Pi], Protocol[Pi, Rule]):
    """Responses are judged one at a time, each chosen by what the verdicts before it have shown."""

    def search(self, prior: Pi, opponent: Pi, simulations: int, choose: Rule) -> Finding[Pi]:
        """What so many simulations per prompt find against the opponent, each with at most one verdict."""
        ...

    def distil(self, policy: Pi) -> Pi:
        """A policy with log-probabilities, fitted to one that can only be drawn from."""
        ...


# -- duelling and fitting: the preference is seen only in duels ------------------------------------------


class Duelling(Mixing[Pi], Protocol[Pi, Judged]):
    """A judge compares responses of two policies: the only access to the true preference."""

    def duel(self, first: Pi, second: Pi) -> Judged:
        """Judged pairs, one response from each policy."""
        ...


class Pooling(Duelling[Pi, Judged], Protocol[Pi, Judged]):
    """Duels of many rounds are pooled."""

    def no_duels(self) -> Judged:
        """Duels of no pairs, the zero of `+`."""
        ...

    @property
    def rounds(self) -> int:
        """The number of rounds that the current step stands for: 1, or more under a lazy schedule."""
        ...


class Fitting(Mixing[Pi], Protocol[Pi, Pairs]):
    """A policy can be fitted to judged pairs."""

    def fit_pairs(self, prior: Pi, pairs: Pairs, loss: PairLoss, beta: Weight) -> Pi:
        """argmin_pi of the mean over pairs of loss(beta * difference of log(pi / prior))."""
        ...


class Pairing(Fitting[Pi, Duels], Duelling[Pi, Duels], Protocol[Pi, Duels]):
    """Duels, and policies fitted to them: DPO and its family."""


class Rewarding(Duelling[Pi, Duels], Protocol[Pi, Duels, Score]):
    """A scalar score stands for the preference: RLHF."""

    def fit_reward(self, pairs: Duels) -> Score:
        """The Bradley-Terry score, by maximum likelihood."""
        ...

    def tilt(self, prior: Pi, score: Score, step: Weight) -> Pi:
        """prior * exp(step * score), normalised."""
        ...


class Demonstrating(Fitting[Pi, Duels], Protocol[Pi, Duels]):
    """The arena has an expert whose responses can be imitated: SPIN."""

    def demonstrate(self, winner: Pi, loser: Pi) -> Duels:
        """Pairs of one response from each policy, the first declared the winner; asks no judge."""
        ...

    @property
    def expert(self) -> Pi | None:
        """The policy to imitate; None when the arena was made without one."""
        ...


class Calibrating(Pooling[Pi, Duels], Protocol[Pi, Duels, Samples]):
    """A policy can be fitted to judged pairs and to samples without verdicts: XPO, VPO, SELM."""

    def sample(self, policy: Pi) -> Samples:
        """Responses of the policy; asks no judge."""
        ...

    def fit_pairs(
        self,
        prior: Pi,
        pairs: Duels,
        loss: PairLoss,
        beta: Weight,
        samples: Samples | None = None,
        weight: Weight = 0.0,
        bound: float = 3.0,
    ) -> Pi:
        """argmin_pi of the sum over pairs of loss(beta * difference of log(pi / prior)) plus weight times the
        sum over samples of log pi, where beta |log(pi / prior)| is at most `bound`."""
        ...

    def no_samples(self) -> Samples:
        """Samples of no responses, the zero of `+`."""
        ...

    @property
    def tabular(self) -> bool:
        """Whether any policy is allowed; False in a log-linear class of features."""
        ...


# -- buffering: pairs are collected first and judged later -----------------------------------------------


class Buffering(Mixing[Pi], Protocol[Pi, Buffer, Labels]):
    """Pairs are kept in a buffer, labelled against any opponent, and a mirror step is regressed on labels."""

    def collect(self, buffer: Buffer, first: Pi, second: Pi, pairs: int) -> Buffer:
        """The buffer with `pairs` more pairs per prompt, one response from each policy; asks no judge."""
        ...

    def label(self, buffer: Buffer, opponent: Pi, pairs: int, comparators: int = 1) -> Labels:
        """`pairs` pairs (y, y') per prompt of the buffer, labelled z(y, y'') - z(y', y''), y'' ~ opponent."""
        ...

    def regress(self, prior: Pi, evidence: Labels, step: Weight, sft: float = 0.0, ridge: float = 1e-3) -> Pi:
        """argmin_pi of the mean of (d(y) - d(y') - step label)^2 plus ridge and SFT; d = log(pi / prior)."""
        ...

    def empty_buffer(self) -> Buffer:
        """A buffer of no pairs."""
        ...

    def self_duels(self, policy: Pi, pairs: int) -> Labels:
        """`pairs` pairs of the policy's own responses, judged once: E label = P(y > y') - 1/2."""
        ...


class Exploring(Buffering[Pi, Buffer, Labels], Protocol[Pi, Buffer, Labels]):
    """A buffer names the response that it has explored least: ENPO."""

    def least_known(self, buffer: Buffer, policy: Pi) -> Pi:
        """The response whose difference to `policy` the buffer has explored least."""
        ...


# -- believing: the preference is estimated from the duels so far ----------------------------------------


class Believed(Preferring[Pi], Protocol[Pi]):
    """The game estimated from evidence: its mirror steps use the believed preference and ask no judge."""

    def nash(self, tau: float, start: Pi) -> Pi:
        """The regularised Nash of the belief, from a warm start. An optimistic belief is not a game."""
        ...

    def least_known(self, opponent: Pi) -> Pi:
        """The response whose win rate against `opponent` is least certain."""
        ...

    def favouring(self, policy: Pi, tau: float, alpha: float) -> Believed[Pi]:
        """The belief biased by `alpha` towards a high gain against `policy` (VMG)."""
        ...


class Believing(Pooling[Pi, Duels], Protocol[Pi, Duels]):
    """Duels add up to a belief about the game."""

    def believe(self, evidence: Duels, optimism: float = 0.0, width: Width = "hoeffding") -> Believed[Pi]:
        """The game estimated from the evidence, every preference raised by `optimism` times its width."""
        ...


class Enumerating(Believing[Pi, Duels], Protocol[Pi, Duels]):
    """The responses can be listed."""

    @property
    def uniform(self) -> Pi:
        """Every response of the game with the same probability."""
        ...


# -- comparing: tables whose responses are compared by number ------------------------------------------------


class Comparing(Protocol):
    """Responses are numbers, compared two at a time: dueling bandits. Policies are float64[S, X, Y]."""

    def compare(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Table:
        """1.0 where response first int64[S, X] beats second int64[S, X], else 0.0: float64[S, X]."""
        ...

    def coins(self) -> NDArray[np.uint64]:
        """The learner's own randomness in this round: keys uint64[S, X] of streams that no duel uses."""
        ...

    def at(self, t: int) -> Self:
        """The arena in round t."""
        ...

    @property
    def reference(self) -> Table:
        """float64[S, X, Y], log-probabilities."""
        ...

    @property
    def uniform(self) -> Table:
        """float64[S, X, Y], log-probabilities; -inf outside the game."""
        ...

    @property
    def support(self) -> NDArray[np.bool_]:
        """bool[X, Y]: the responses that are in the game."""
        ...

    @property
    def tabular(self) -> bool:
        """Whether any policy is allowed; False in a log-linear class of features."""
        ...


class Streaming(Comparing, Protocol):
    """Many rounds of comparisons can be played in one compiled call."""

    @property
    def stream(self) -> tuple[int, int]:
        """(seed, number of the first run), which with the round determine all randomness."""
        ...

    def charge(self, rounds: int) -> None:
        """Count one verdict per prompt in each of `rounds` rounds that a kernel has played."""
        ...
