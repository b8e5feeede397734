"""Searched: a TextArena on which responses are judged one at a time, chosen by tree search."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from llm_backend.arena import TextArena
from llm_backend.policies.handles import Adapter, Answers, Policy, scalar
from llm_backend.search.caches import Caches, Tokens
from llm_backend.search.spaces import Settings, answers, key_of, replies, rows_of, spaces
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.recorded import described
from llm_backend.verbs import steps
from pgames.numerics import whole
from pgames.search.growth import together
from pgames.search.kept import Kept
from pgames.search.rules import PUCT, Choice, check_budget
from pgames.search.tree import NEUTRAL, Tree
from pgames.solver import Weight

LOG = logging.getLogger("llm_backend")
Verdicts = dict[Tokens, float]  # the value of each judged response, in the order in which they were judged


@dataclass(frozen=True, eq=False)
class TreeScore:
    """What the trees of the prompts of a round know of any response, for `tilt`: by number of the prompt."""

    trees: dict[int, Tree]

    def __call__(self, draws: Draws) -> Floats:
        """float64[B]: a verdict, else the values of prefixes; 1/2 for prompts of other rounds."""
        pairs = zip(draws.prompt.tolist(), draws.tokens, strict=True)
        return np.array([self.trees[x].worth(y) if x in self.trees else NEUTRAL for x, y in pairs])


class Found(NamedTuple):
    """What a search of the prompts of a round found.

    score : for `tilt`.
    policy : the responses simulated, each with its share of visits: an opponent, to be drawn or distilled.
    best : the best response judged of each prompt.
    judged : the verdicts that were asked for, over all prompts.
    verdicts : the values of the responses judged, by prompt, those known before included.
    """

    score: TreeScore
    policy: Answers
    best: Answers
    judged: int
    verdicts: dict[int, Verdicts]


class Searched:
    """A language model whose responses are judged one at a time, each chosen by the verdicts before it.

    Its mirror step searches with the prior against the opponent, judges `verdicts` new responses to each
    prompt of the round, and fits the prior tilted by what the tree knows: in exact play to all responses,
    otherwise to responses that were judged. Other verbs are those of `arena`.

    The tree is kept as long as the opponent does not change (`pgames.Facing`), so a step may depend on steps
    before it. Another opponent starts a new tree, as does a restart. Steps repeated in one round are equal.

    Parameters
    ----------
    arena : the game. Priors have log-probabilities; any policy may be the opponent.
    verdicts : responses judged per prompt and mirror step.
    choose : the rule of search.
    top : in free text, the tokens to choose from after a prefix, its likeliest ones; or steps drawn.
    delimiter : in free text, the text that ends a step, as a line break; None: an action is one token.
    batch : walks whose rollouts are drawn, and judged, together. Those of a batch do not know each other's
        verdicts, and count as visits of their prefix's value.
    opponents : draws of the opponent that every response to a prompt meets, the same for all; its value is
        the mean of so many verdicts. In exact play values are exact, and it is not used.
    room : bytes of keys and values of prefixes to keep.

    Raises TypeError when `arena` is not a TextArena, and ValueError when a number is out of range, or
    `verdicts` is below the tokens to choose from and the rule is not `Halving`.
    """

    def __init__(
        self,
        arena: TextArena,
        verdicts: int,
        choose: Choice = PUCT(),  # noqa: B008
        top: int = 8,
        delimiter: str | None = None,
        batch: int = 8,
        opponents: int = 1,
        room: int = 1 << 28,
    ):
        if not isinstance(arena, TextArena):
            raise TypeError(
                f"Searched needs a TextArena, got {type(arena).__name__}: search the model itself, and wrap "
                "what comes out, as in Facing(Searched(arena, 16), opponent)."
            )
        for name, value in (("top", top), ("batch", batch), ("opponents", opponents)):
            if not whole(value) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
        if delimiter == "":
            raise ValueError("delimiter must be a text, or None for steps of one token, got ''.")
        self.arena, self.verdicts, self.choose, self.batch = arena, verdicts, choose, batch
        self.settings = Settings(Caches(arena.lm, room), top, delimiter, opponents)
        self._kept = Kept[dict[int, Verdicts]]()
        check_budget(verdicts, self.settings.widest(arena.context), choose)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "arena":  # copy and pickle ask for names before there is an arena
            raise AttributeError(name)
        return getattr(self.arena, name)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Adapter:
        """The prior tilted by what the tree of the opponent knows, fitted; step = inf as in `TextArena`.

        Raises ValueError when step is 0 or an array, and for a prior without log-probabilities.
        """
        if (size := scalar(step, "a step")) == 0:
            raise ValueError("a mirror step of 0 is its prior: use the prior.")
        context = self.arena.context
        name = json.dumps(described(opponent))
        known = self._kept.before(name, context.round) or {}
        found = self._search(prior, opponent, self.verdicts, self.choose, known, True)
        self._kept.put(name, context.round, {**known, **found.verdicts})
        candidates = None if context.exact else self._candidates(found)
        return steps.tilt(context, prior, found.score, size, candidates)

    def search(self, prior: Policy, opponent: Policy, simulations: int, choose: Choice) -> Found:
        """What `simulations` simulations per prompt find; a repeated response is not judged again.

        Raises ValueError when the simulations are fewer than the tokens that the rule chooses among, and for
        a prior without log-probabilities.
        """
        check_budget(simulations, self.settings.widest(self.arena.context), choose)
        return self._search(prior, opponent, simulations, choose, {}, False)

    def at(self, t: int, rounds: int = 1) -> Self:
        """The arena in round t; all rounds share the tree and the caches."""
        return self._around(self.arena.at(t, rounds))

    def anchored(self, reference: Policy) -> Self:
        """The same game regularised to another policy."""
        return self._around(self.arena.anchored(reference))

    def _around(self, arena: TextArena) -> Self:
        view = copy.copy(self)
        view.arena = arena
        return view

    def _search(
        self,
        prior: Policy,
        opponent: Policy,
        budget: int,
        choose: Choice,
        known: dict[int, Verdicts],
        fresh: bool,
    ) -> Found:
        context, settings = self.arena.context, self.settings
        found = spaces(context, settings, prior, opponent)
        trees = {x: Tree(space, choose, key_of(context, x)) for x, space in found.items()}
        for x, tree in trees.items():
            tree.replay(known.get(x, {}))
        prompts, batch = list(trees), self.batch
        growths = [
            tree.exploring(budget, batch) if fresh else tree.simulating(budget, batch)
            for tree in trees.values()
        ]
        each = together(
            growths,
            lambda kind, group: replies(found, kind, [(prompts[i], request) for i, request in group]),
        )
        for x, new in zip(prompts, each, strict=True):
            if fresh and new < budget and not trees[x].root.closed.all():
                LOG.warning(
                    "the search of prompt %d judged %d new responses, not %d: the policy repeats itself. "
                    "Raise the temperature, or lower verdicts.",
                    x,
                    new,
                    budget,
                )
        new = sum(each)
        judged = new if context.exact else new * settings.opponents
        return Found(
            TreeScore(trees),
            answers(context, settings, {x: tree.shares() for x, tree in trees.items()}),
            answers(context, settings, {x: {tree.best(): 1.0} for x, tree in trees.items()}),
            judged,
            {x: tree.verdicts for x, tree in trees.items()},
        )

    def _candidates(self, found: Found) -> Draws:
        """`samples` judged responses to each prompt, at evenly spaced ranks of their values.

        The best and the worst are among them. Where fewer were judged they repeat, which weighs them alike.
        """
        context, parts = self.arena.context, list[Draws]()
        for x, verdicts in found.verdicts.items():
            ranked = sorted(verdicts, key=verdicts.__getitem__, reverse=True)
            places = np.linspace(0, len(ranked) - 1, context.drawn).round().astype(int)
            parts.append(rows_of(context, self.settings, x, [ranked[i] for i in places]))
        return Draws.join(parts)
