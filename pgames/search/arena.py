"""Searched: a table arena whose mirror step is a tilt by what a tree of judged responses knows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pgames.search.growth import Tokens
from pgames.search.kept import Kept
from pgames.search.listed import ListedSpace, Prefixes
from pgames.search.rules import PUCT, Choice, check_budget
from pgames.search.tree import Tree
from pgames.solver import Weight
from pgames.table.arena import Policy, TableArena

Verdicts = dict[Tokens, float]  # the value of each judged response, in the order in which they were judged


class Found(NamedTuple):
    """What a search of S runs and X prompts found.

    score : float64[S, X, Y], for `tilt`: the verdict of a judged response, else the values of its prefixes.
    policy : float64[S, X, Y], log-probabilities: the shares of visits, -inf where nothing was visited.
    best : float64[S, X, Y], log-probabilities: the best response judged, with certainty.
    judged : the verdicts that were asked for, over all runs and prompts.
    verdicts : the verdicts of each run and prompt, those known before included; S X of them.
    """

    score: NDArray[np.float64]
    policy: Policy
    best: Policy
    judged: int
    verdicts: tuple[Verdicts, ...]


class Searched:
    """A table on which responses are judged one at a time, chosen by tree search.

    Its mirror step asks for `verdicts` new verdicts per run and prompt, and tilts the prior by what the tree
    knows: verdicts, and the values of prefixes where there are none. When all responses have been judged it
    is the mirror step of `arena`. Other verbs are those of `arena`.

    The tree is kept as long as the opponent does not change, as in `Facing`. So a step may depend on earlier
    steps: it knows the verdicts of earlier rounds against the same opponent. Another opponent starts a new
    tree, as does a restart of the program. Steps repeated in one round are equal.

    Parameters
    ----------
    arena : the table; with `samples`, a verdict is the mean of so many duels.
    verdicts : per run and prompt and mirror step, at least 1.
    choose : the rule of search.
    tokens : the tokens of each of the Y responses, none the beginning of another; by default each response
        is one token, and the tree is a bandit.

    Raises TypeError when `arena` is not a TableArena, and ValueError when `verdicts` is below the number of
    tokens that the rule chooses among, unless the rule is `Halving`, and when `tokens` do not fit.
    """

    def __init__(
        self,
        arena: TableArena,
        verdicts: int,
        choose: Choice = PUCT(),  # noqa: B008
        tokens: Sequence[Sequence[int]] | None = None,
    ):
        if not isinstance(arena, TableArena):
            raise TypeError(
                f"Searched needs a TableArena, got {type(arena).__name__}: search the table itself, and wrap "
                "what comes out, as in Facing(Searched(TableArena(game), 16), opponent)."
            )
        Y = arena.game.responses
        if tokens is not None and len(tokens) != Y:
            raise ValueError(f"tokens must hold a row for each of the {Y} responses, got {len(tokens)} rows.")
        self.arena, self.choose, self.verdicts = arena, choose, verdicts
        self.prefixes = Prefixes([(y,) for y in range(Y)] if tokens is None else tokens)
        check_budget(verdicts, self.prefixes.widest, choose)
        self._round, self._kept = 0, Kept[tuple[Verdicts, ...]]()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "arena":  # copy and pickle ask for names before there is an arena
            raise AttributeError(name)
        return getattr(self.arena, name)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """The prior tilted by what the tree of the opponent knows: float64[S, X, Y].

        step = inf is the prior restricted to the best responses judged.
        """
        name = opponent.tobytes()
        known = self._kept.before(name, self._round)
        found = self._search(prior, opponent, self.verdicts, self.choose, known, True)
        self._kept.put(name, self._round, found.verdicts)
        if isinstance(step, float | int) and step == np.inf:
            judged = np.zeros_like(prior, dtype=np.bool_)
            for row, verdicts in zip(judged.reshape(-1, prior.shape[-1]), found.verdicts, strict=True):
                row[[self.prefixes.number[response] for response in verdicts]] = True
            return self.arena.simplices.best_response(prior, np.where(judged, found.score, -np.inf))
        return self.arena.tilt(prior, found.score, step)

    def search(self, prior: Policy, opponent: Policy, simulations: int, choose: Choice) -> Found:
        """What `simulations` simulations per run and prompt find; repeated responses ask for no verdict.

        Raises ValueError when the simulations are fewer than the tokens that the rule chooses among.
        """
        check_budget(simulations, self.prefixes.widest, choose)
        return self._search(prior, opponent, simulations, choose, None, False)

    def distil(self, policy: Policy) -> Policy:
        """The policy itself: on a table every policy float64[S, X, Y] has log-probabilities."""
        return policy

    def at(self, t: int) -> Self:
        """The arena in round t; all rounds share the tree."""
        view = copy.copy(self)
        view.arena, view._round = self.arena.at(t), t
        return view

    def anchored(self, reference: Policy) -> Self:
        """The same game regularised to another policy float64[S, X, Y]."""
        view = copy.copy(self)
        view.arena = self.arena.anchored(reference)
        return view

    def _search(
        self,
        prior: Policy,
        opponent: Policy,
        budget: int,
        choose: Choice,
        known: tuple[Verdicts, ...] | None,
        fresh: bool,
    ) -> Found:
        p, rates = np.exp(prior), self.arena.rates(opponent)
        score, shares, best = np.empty_like(p), np.zeros_like(p), np.zeros_like(p)
        number, judged, verdicts = self.prefixes.number, 0, list[Verdicts]()
        for s, x in np.ndindex(p.shape[:2]):
            space = ListedSpace(self.prefixes, p[s, x], rates[s, x])
            key = (self.arena.seed, self.arena.first_run + s, self._round, x)
            tree = Tree(space, choose, key)
            if known is not None:
                tree.replay(known[s * p.shape[1] + x])
            judged += tree.explore(budget) if fresh else tree.simulate(budget)
            score[s, x] = [tree.worth(response) for response in self.prefixes.responses]
            for response, share in tree.shares().items():
                shares[s, x, number[response]] = share
            best[s, x, number[tree.best()]] = 1.0
            verdicts.append(tree.verdicts)
        with np.errstate(divide="ignore"):
            return Found(score, np.log(shares), np.log(best), judged, tuple(verdicts))
