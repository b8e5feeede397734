"""A tree of prefixes, grown by simulations: a walk by a rule, one rollout, one verdict, and its value kept.

The tree knows nothing of tables or models: a `Space` gives the actions of a prefix, completes a prefix to a
response, and judges responses. Prefixes and responses are tuples of tokens; an action appends one token or
several (a step).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.search.growth import Actions, Floats, Growth, Request, Space, Tokens, alone
from pgames.search.rules import Choice, Edges

NEUTRAL = 0.5  # the value of a prefix of which nothing is known: an even chance
TAG = 0x7EE5  # ends every key of a stream of the search
WALKS = 4  # per verdict that is asked for; a search that finds nothing new then stops


class Node:
    """A prefix whose actions are known.

    visits, total : float64[V], simulations through each action and the sum of their values.
    closed : bool[V], whether every response through an action has been judged, or has probability 0.
    count, sum : simulations through the node, its own rollout included, and the sum of their values.
    own : the value of its own rollout.
    """

    __slots__ = ("actions", "closed", "count", "own", "prefix", "sum", "total", "visits")

    def __init__(self, prefix: Tokens, actions: Actions):
        self.prefix, self.actions = prefix, actions
        self.visits, self.total = np.zeros(len(actions.prior)), np.zeros(len(actions.prior))
        self.closed = actions.prior <= 0
        self.count, self.sum, self.own = 0, 0.0, NEUTRAL

    @property
    def value(self) -> float:
        """The mean value of the simulations through the node."""
        return self.sum / self.count if self.count else NEUTRAL

    def edges(self, noise: Floats | None, done: int, budget: int) -> Edges:
        """What a rule may know; `noise` float64[V] at the root."""
        mean = np.where(self.visits > 0, self.total / np.maximum(self.visits, 1), self.value)
        return Edges(self.actions.prior, mean, self.visits, self.value, self.own, noise, done, budget)


class Step(NamedTuple):
    """An action taken from a node, and the value it was counted at until its verdict is known."""

    node: Node
    action: int
    virtual: float


class Walk(NamedTuple):
    """A walk from the root to a prefix that has no node, or is a complete response."""

    steps: list[Step]
    prefix: Tokens
    complete: bool


class Tree:
    """The nodes, the verdicts and the simulations of one prompt.

    key : its random numbers are a function of (key, number of the simulation).
    verdicts : the value of every response judged so far, in the order in which they were judged.
    ends : of each simulation of this tree, the response and the action at the root.
    """

    def __init__(self, space: Space, choose: Choice, key: Sequence[int]):
        self.space, self.choose, self.key = space, choose, tuple(key)
        self.root = Node((), space.expand([()])[0])
        self.nodes: dict[Tokens, Node] = {(): self.root}
        self.verdicts: dict[Tokens, float] = {}
        self.ends: list[tuple[Tokens, int]] = []
        self.noise = self.random(0).gumbel(size=len(self.root.actions.prior))

    def random(self, number: int) -> np.random.Generator:
        """The random numbers of simulation `number`, from 1; those of the root are number 0."""
        return np.random.default_rng([*self.key, number, TAG])

    # -- growing ----------------------------------------------------------------------------------------

    def replay(self, verdicts: dict[Tokens, float]) -> None:
        """Grow the tree by responses judged before, in their order, as if simulations had met them."""
        for response, value in verdicts.items():
            self.verdicts[response] = value
            walk = self._along(response)
            if not walk.complete:
                alone(self._expand([walk]), self.space)
            self._back_up(walk, response, value)

    def simulate(self, simulations: int, batch: int = 1) -> int:
        """Make so many simulations, `batch` at a time; returns the verdicts asked for.

        A response that was judged before is not judged again.
        """
        return alone(self.simulating(simulations, batch), self.space)

    def explore(self, verdicts: int, batch: int = 1) -> int:
        """Ask for `verdicts` new verdicts, or for those of all responses; returns how many were asked for.

        A walk never enters an action of which every response has been judged. After WALKS walks per verdict
        the search stops with what it has.
        """
        return alone(self.exploring(verdicts, batch), self.space)

    def simulating(self, simulations: int, batch: int) -> Growth:
        """`simulate`, as requests to its space."""
        asked = 0
        for first in range(0, simulations, batch):
            asked += yield from self._round(first, min(batch, simulations - first), simulations, False)
        return asked

    def exploring(self, verdicts: int, batch: int) -> Growth:
        """`explore`, as requests to its space."""
        asked = walks = 0
        while asked < verdicts and walks < WALKS * verdicts and not self.root.closed.all():
            size = min(batch, verdicts - asked)
            asked += yield from self._round(asked, size, verdicts, True)
            walks += size
        return asked

    def _round(self, done: int, size: int, budget: int, fresh: bool) -> Growth:
        """`size` walks counted at their nodes' values, their rollouts and verdicts together."""
        numbers = range(len(self.ends) + 1, len(self.ends) + 1 + size)
        randoms = [self.random(number) for number in numbers]
        walks = [self._walk(done + i, budget, fresh, random) for i, random in enumerate(randoms)]
        yield from self._expand(walks)
        responses: list[Tokens] = [walk.prefix for walk in walks]
        if rolled := [i for i, walk in enumerate(walks) if not walk.complete]:
            drawn = yield Request("complete", [responses[i] for i in rolled], [randoms[i] for i in rolled])
            for i, response in zip(rolled, drawn, strict=True):
                responses[i] = response
        if new := [response for response in dict.fromkeys(responses) if response not in self.verdicts]:
            values = yield Request("judge", new, [])
            self.verdicts |= {response: float(v) for response, v in zip(new, values, strict=True)}
        for walk, response in zip(walks, responses, strict=True):
            self._back_up(walk, response, self.verdicts[response])
            self.ends.append((response, walk.steps[0].action))
        return len(new)

    def _walk(self, done: int, budget: int, fresh: bool, random: np.random.Generator) -> Walk:
        node, steps = self.root, list[Step]()
        while True:
            edges = node.edges(self.noise if node is self.root else None, done, budget)
            barred = node.closed if fresh and not node.closed.all() else node.actions.prior <= 0
            action = _best(self.choose.scores(edges), edges.prior, barred, random)
            if self._take(node, action, steps):
                return Walk(steps, node.prefix + node.actions.pieces[action], True)
            prefix = node.prefix + node.actions.pieces[action]
            if prefix not in self.nodes:
                return Walk(steps, prefix, False)
            node = self.nodes[prefix]

    def _along(self, response: Tokens) -> Walk:
        """The walk that ends at the first prefix of a response that has no node."""
        node, steps = self.root, list[Step]()
        while True:
            rest = response[len(node.prefix) :]
            action = next((i for i, p in enumerate(node.actions.pieces) if rest[: len(p)] == p), None)
            if action is None:  # the policy's actions have changed: the response counts for this node alone
                node.count, node.sum = node.count + 1, node.sum + self.verdicts[response]
                return Walk(steps, node.prefix, True)
            prefix = node.prefix + node.actions.pieces[action]
            if self._take(node, action, steps) or prefix not in self.nodes:
                return Walk(steps, prefix, prefix == response)
            node = self.nodes[prefix]

    def _take(self, node: Node, action: int, steps: list[Step]) -> bool:
        """Count a visit at the node's value; returns whether the action ends the response."""
        value = node.value
        steps.append(Step(node, action, value))
        node.visits[action] += 1
        node.total[action] += value
        node.count, node.sum = node.count + 1, node.sum + value
        return bool(node.actions.final[action])

    def _expand(self, walks: Sequence[Walk]) -> Growth:
        new = list(dict.fromkeys(w.prefix for w in walks if not w.complete and w.prefix not in self.nodes))
        found: list[Actions] = (yield Request("expand", new, [])) if new else []
        for prefix, actions in zip(new, found, strict=True):
            node = self.nodes[prefix] = Node(prefix, actions)
            for i, piece in enumerate(actions.pieces):
                node.closed[i] |= bool(actions.final[i]) and prefix + piece in self.verdicts
        return 0

    def _back_up(self, walk: Walk, response: Tokens, value: float) -> None:
        for node, action, virtual in walk.steps:
            node.total[action] += value - virtual
            node.sum += value - virtual
        if not walk.complete:
            leaf = self.nodes[walk.prefix]
            if not leaf.count:
                leaf.own = value
            leaf.count, leaf.sum = leaf.count + 1, leaf.sum + value
        self._close(response)

    def _close(self, response: Tokens) -> None:
        """Close the action that ends in a judged response, and those of its prefixes that are then done."""
        path = [self.nodes[response[:n]] for n in range(len(response)) if response[:n] in self.nodes]
        for node in reversed(path):
            for i in np.flatnonzero(~node.closed):
                whole = node.prefix + node.actions.pieces[i]
                if whole != response[: len(whole)]:
                    continue
                after = self.nodes.get(whole)
                done = after is not None and bool(after.closed.all())
                node.closed[i] = done or (bool(node.actions.final[i]) and whole in self.verdicts)

    # -- what it knows ----------------------------------------------------------------------------------

    def worth(self, response: Tokens) -> float:
        """What the tree knows of a response: its verdict, or else the values of its prefixes.

        The value of a prefix is (sum + value of the prefix before) / (count + 1), from 1/2 at the root: a
        prefix that few simulations have met stays near the one before.
        """
        if response in self.verdicts:
            return self.verdicts[response]
        value = NEUTRAL
        for n in range(len(response)):
            if (node := self.nodes.get(response[:n])) is not None:
                value = (node.sum + value) / (node.count + 1)
        return value

    def shares(self) -> dict[Tokens, float]:
        """The simulated responses, each with its share: of the rule's policy at the root, then of visits.

        Empty before the first simulation; sums to 1 after it.
        """
        if not self.ends:
            return {}
        root = self.choose.shares(self.root.edges(self.noise, len(self.ends), len(self.ends)))
        visits = np.bincount([action for _, action in self.ends], minlength=len(root))
        each = np.where(visits > 0, root, 0.0)
        each = each / each.sum() / np.maximum(visits, 1)
        found: dict[Tokens, float] = {}
        for response, action in self.ends:
            found[response] = found.get(response, 0.0) + float(each[action])
        return found

    def best(self) -> Tokens:
        """The response of the largest verdict, the first of equal ones.

        Raises ValueError when nothing was judged yet.
        """
        if not self.verdicts:
            raise ValueError("nothing was judged yet: simulate first.")
        return max(self.verdicts, key=self.verdicts.__getitem__)


def _best(scores: Floats, prior: Floats, barred: NDArray[np.bool_], random: np.random.Generator) -> int:
    """The open action of the largest score; among equal scores the likelier, and then one at random."""
    open = np.flatnonzero(~barred)
    tied = open[scores[open] == scores[open].max()]
    tied = tied[prior[tied] == prior[tied].max()]
    return int(tied[0] if len(tied) == 1 else tied[random.integers(len(tied))])
