"""Learning from search: the policy imitates what a tree search with it finds."""

from __future__ import annotations

from dataclasses import dataclass

from pgames.arena import Searching
from pgames.search.rules import PUCT, Choice
from pgames.solver import Memoryless, Pi, State, require
from pgames.solvers.checks import check_counts


@dataclass(frozen=True)
class ExpertIteration:
    """Search against the policy itself, then imitate the visits (Anthony et al. 2017; AlphaZero).

    pi' = distil(shares of visits of `simulations` simulations with prior pi against pi).

    It has no regulariser and computes no Nash: on a cycle it circles. Theorem: the shares of PUCT approach
    argmax <pi, q> - lam KL(prior || pi) with lam = c sqrt(N) / (V + N) (arXiv:2007.12509), so that more
    simulations make greedier steps. Known failure: a response that was not visited has probability 0 and
    never comes back. Imitating visits needs more verdicts than a tilt by what the tree knows, the mirror step
    of `Searched`.

    Raises ValueError when simulations is below 1 or not whole.
    """

    simulations: int
    choose: Choice = PUCT()  # noqa: RUF009

    target = None

    def __post_init__(self) -> None:
        check_counts(self, "simulations")

    def init(self, arena: Searching[Pi, Choice]) -> Memoryless[Pi]:
        require(self, arena, Searching)
        return State(0, arena.reference)

    def step(self, arena: Searching[Pi, Choice], state: Memoryless[Pi]) -> Memoryless[Pi]:
        found = arena.search(state.policy, state.policy, self.simulations, self.choose)
        return State(state.t + 1, arena.distil(found.policy))
