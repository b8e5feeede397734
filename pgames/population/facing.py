"""Facing: an arena in which one fixed policy is met, so that any solver becomes an oracle against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

from pgames.arena import Arena
from pgames.solver import Pi, Weight

OWN = ("arena", "opponent", "first")
AGAINST = {"label": 1, "search": 1, "rates": 0}  # further verbs, and where their opponent stands
UNFIXED = (  # verbs that would meet somebody else, or return an arena that does
    "duel",
    "self_duels",
    "believe",
    "compare",
    "judged_by",
    "within",
    "win_rates",
    "meet",
    "against_all",
    "only",
    "join",
    "gains",
)


class Facing(Generic[Pi]):
    """The arena of a player that always meets `opponent`, whichever opponent its solver names.

    A best response to a frozen policy, an exploiter, and k rounds of INPO against a pool are solvers in this
    arena. It wraps every arena of the protocol `Arena`, on tables and on text. Round t is round `first` + t
    of the arena, so that an inner loop sees fresh samples in every round. Verbs that compare two policies of
    the solver's own choice, such as `duel`, are not offered.

    Raises ValueError when the opponent is a table of another shape than the policies of the arena.
    """

    def __init__(self, arena: Arena[Pi], opponent: Pi, first: int = 0):
        wanted, got = (getattr(one, "shape", None) for one in (arena.reference, opponent))
        if wanted is not None and got != wanted:
            raise ValueError(
                f"Facing: the opponent must be a policy of its arena, of shape {list(wanted)}, as "
                f"`arena.policy` makes it, got {f'shape {list(got)}' if got else repr(opponent)[:60]}."
            )
        self.arena, self.opponent, self.first = arena, opponent, first

    @property
    def reference(self) -> Pi:
        """The reference of the arena."""
        return self.arena.reference

    def geometric_mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """prod_i pi_i ** w_i, normalised."""
        return self.arena.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """sum_i w_i pi_i."""
        return self.arena.mixture(*terms)

    def mirror_step(self, prior: Pi, opponent: Pi, step: Weight) -> Pi:
        """argmax_pi P(pi > the fixed opponent) - KL(pi || prior) / step."""
        return self.arena.mirror_step(prior, self.opponent, step)

    def win_rate(self, first: Pi, second: Pi) -> Weight:
        """P(first > the fixed opponent)."""
        return self.arena.win_rate(first, self.opponent)

    def at(self, t: int) -> Facing[Pi]:
        """The arena in round `first` + t."""
        return Facing(self.arena.at(self.first + t), self.opponent, self.first)

    def anchored(self, reference: Pi) -> Facing[Pi]:
        """The same with another reference."""
        return Facing(self.arena.anchored(reference), self.opponent, self.first)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in OWN:  # asked by copy and pickle before __init__
            raise AttributeError(name)
        if name in UNFIXED:
            raise AttributeError(f"Facing has no {name!r}: its opponent is fixed. Ask its `arena`.")
        value = getattr(self.arena, name)
        return self._against(value, AGAINST[name]) if name in AGAINST else value

    def _against(self, verb: Callable[..., Any], place: int) -> Callable[..., Any]:
        def met(*given: Any, **named: Any) -> Any:
            return verb(*given[:place], self.opponent, *given[place + 1 :], **named)

        return met
