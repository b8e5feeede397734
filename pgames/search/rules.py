"""Rules by which a search chooses an action: PUCT, the same at a fixed temperature, and Gumbel's halving."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import number, softmax, whole

Floats = NDArray[np.float64]


class Edges(NamedTuple):
    """What a node knows of its V actions.

    prior : float64[V], their probabilities.
    mean : float64[V], the mean value of the simulations through each; the node's own `value` where there is
        none. With 0 in place of it, a search of values near 1 never leaves its first action.
    visits : float64[V], the number of those simulations.
    value : the mean value of the simulations through the node; 1/2 before the first.
    own : the value of the node's own rollout; 1/2 at the root, which has none.
    noise : float64[V], a Gumbel number of each action at the root; None at other nodes.
    done, budget : simulations finished by this search, and all that it will make.
    """

    prior: Floats
    mean: Floats
    visits: Floats
    value: float
    own: float
    noise: Floats | None
    done: int
    budget: int


class Choice(Protocol):
    """A rule of search: a frozen dataclass."""

    def scores(self, edges: Edges) -> Floats:
        """float64[V]: the action of the largest score is taken; ties by the prior, then at random."""
        ...

    def shares(self, edges: Edges) -> Floats:
        """float64[V], the policy at the root after a search: sums to 1, and 0 where nothing was visited."""
        ...

    def least(self, actions: int) -> int:
        """The fewest simulations that a choice among so many tokens needs."""
        ...


@dataclass(frozen=True)
class PUCT:
    """argmax mean + c prior sqrt(N) / (1 + visits), the rule of AlphaZero (arXiv:1712.01815).

    N is the number of visits of the node. Fewer simulations than actions need not improve on the prior; those
    of `Halving` do.
    Raises ValueError unless c is finite and above 0.
    """

    c: float = 1.25

    def __post_init__(self) -> None:
        _above_zero("PUCT: c", self.c)

    def scores(self, edges: Edges) -> Floats:
        total = max(edges.visits.sum(), 1.0)
        return edges.mean + self.c * edges.prior * math.sqrt(total) / (1 + edges.visits)

    def shares(self, edges: Edges) -> Floats:
        return edges.visits / edges.visits.sum()

    def least(self, actions: int) -> int:
        return actions


@dataclass(frozen=True)
class Tempered:
    """PUCT with c = (V + N) / (step sqrt(N)): the divergence keeps the weight 1 / step for every N.

    The shares of visits approach `regularised_policy(prior, mean, 1 / step)`, the reverse-KL sibling of the
    mirror step of this size. V counts the actions whose prior is above 0.
    Raises ValueError unless step is finite and above 0.
    """

    step: float

    def __post_init__(self) -> None:
        _above_zero("Tempered: step", self.step)

    def scores(self, edges: Edges) -> Floats:
        total = np.count_nonzero(edges.prior) + edges.visits.sum()
        return edges.mean + edges.prior * total / (self.step * (1 + edges.visits))

    def shares(self, edges: Edges) -> Floats:
        return edges.visits / edges.visits.sum()

    def least(self, actions: int) -> int:
        return actions


@dataclass(frozen=True)
class Halving:
    """Gumbel's sequential halving (Danihelka et al., ICLR 2022): an improvement from few simulations.

    At the root, the `actions` of largest noise + log prior are simulated equally often, and the better half
    of them goes on, by noise + log prior + sigma(mean). Below the root the visits follow the improved policy
    softmax(log prior + sigma(completed)), where an action without visits is completed by `mixed_value`, and
    sigma(q) = (visit + largest number of visits) scale q.

    Theorem: with exact values the action taken is at least as good, in expectation, as one drawn from the
    prior, for any number of simulations. Found.policy is the improved policy on the visited actions.
    Raises ValueError unless actions is at least 1 and visit and scale are finite and above 0.
    """

    actions: int = 16
    visit: float = 50.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not whole(self.actions) or self.actions < 1:
            raise ValueError(f"Halving: actions must be at least 1, got {self.actions!r:.60}.")
        _above_zero("Halving: visit", self.visit)
        _above_zero("Halving: scale", self.scale)

    def scores(self, edges: Edges) -> Floats:
        if edges.noise is None:
            return self.improved(edges) - edges.visits / (1 + edges.visits.sum())
        considered = min(self.actions, np.count_nonzero(edges.prior))
        wanted = considered_visits(considered, edges.budget)[min(edges.done, edges.budget - 1)]
        score = edges.noise + self._logits(edges)
        planned = (edges.visits == wanted) & (edges.prior > 0)
        return np.where(planned, score, -np.inf) if planned.any() else score

    def shares(self, edges: Edges) -> Floats:
        shares = np.where(edges.visits > 0, self.improved(edges), 0.0)
        return shares / shares.sum()

    def least(self, actions: int) -> int:
        return 1

    def improved(self, edges: Edges) -> Floats:
        """softmax(log prior + sigma(completed values)), float64[V]."""
        return softmax(self._logits(edges))

    def _logits(self, edges: Edges) -> Floats:
        completed = np.where(edges.visits > 0, edges.mean, mixed_value(edges))
        with np.errstate(divide="ignore"):
            return np.log(edges.prior) + (self.visit + edges.visits.max()) * self.scale * completed


def mixed_value(edges: Edges) -> float:
    """The value of a node from its own rollout and the values of its visited actions.

    (own + N sum_visited prior mean / sum_visited prior) / (1 + N), appendix D of Danihelka et al.
    """
    seen = edges.visits > 0
    mass, total = edges.prior[seen].sum(), edges.visits.sum()
    if mass <= 0:
        return edges.own
    return float((edges.own + total * (edges.prior[seen] @ edges.mean[seen]) / mass) / (1 + total))


@lru_cache(maxsize=64)
def considered_visits(actions: int, budget: int) -> tuple[int, ...]:
    """How often the action of each of `budget` simulations has been visited before, in sequential halving.

    A phase of k actions gives each max(1, floor(budget / (k ceil(log2 actions)))) visits; then half remain,
    at least 2. One action alone is visited again and again.
    """
    plan = _plan(actions, budget)
    return tuple(next(plan) for _ in range(budget))


def _plan(actions: int, budget: int) -> Iterator[int]:
    before, left = 0, max(actions, 1)
    phases = max(1, math.ceil(math.log2(left)))
    while True:
        for _ in range(max(1, budget // (left * phases)) if left > 1 else 1):
            yield from [before] * left
            before += 1
        left = max(2, left // 2) if left > 1 else 1


def check_budget(budget: int, actions: int, choose: Choice) -> None:
    """Raises ValueError when a search has fewer simulations than its rule needs for so many tokens, or the
    number is not whole."""
    if not whole(budget):
        raise ValueError(f"a number of simulations must be a whole number, got {budget!r}.")
    if budget < max(1, choose.least(actions)):
        raise ValueError(
            f"{type(choose).__name__} chooses among up to {actions} tokens and needs at least "
            f"{max(1, choose.least(actions))} simulations, got {budget!r}: with fewer it need not improve. "
            "Raise the budget, choose among fewer tokens, or use Halving()."
        )


def _above_zero(name: str, value: float) -> None:
    if not 0 < number(value) < math.inf:
        raise ValueError(f"{name} must be finite and above 0, got {value!r:.60}.")
