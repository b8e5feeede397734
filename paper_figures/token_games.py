"""Games of responses of several tokens, and who proposes what is judged there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import pgames as pg
from pgames.numerics import sigmoid, softmax
from pgames.search.listed import ListedSpace, Prefixes
from pgames.search.rules import Choice
from pgames.search.tree import Tree

Floats = NDArray[np.float64]

STEP = 20.0  # of the soft best response
EVERY = 8  # draws from one current policy to the next
TRIES = 8  # draws per verdict, after which a policy that draws nothing new stops


class TokenGame(NamedTuple):
    """`tokens` of the Y = V^L responses, their scores, and the win rates float64[Y] against the opponent.

    The score is one normal number per place and token, and .7 times one per neighbouring pair; the opponent
    is the response at the 90 % quantile.
    """

    tokens: list[tuple[int, ...]]
    scores: Floats
    opponent: int
    rates: Floats

    @property
    def game(self) -> pg.PreferenceGame:
        """The game of all pairs of responses."""
        return pg.games.bradley_terry(self.scores)


def token_game(V: int, L: int, seed: int) -> TokenGame:
    """A game of L tokens of V, of a seed."""
    rng = np.random.default_rng(seed)
    single, pair = rng.standard_normal((L, V)), rng.standard_normal((L - 1, V, V))
    tokens = list(itertools.product(range(V), repeat=L))
    scores = np.array(
        [
            sum(single[i, t] for i, t in enumerate(y))
            + 0.7 * sum(pair[i][y[i : i + 2]] for i in range(L - 1))
            for y in tokens
        ]
    )
    opponent = int(np.argsort(scores)[round(0.9 * (len(tokens) - 1))])
    return TokenGame(tokens, scores, opponent, sigmoid(scores - scores[opponent]))


def soft_value(policy: Floats, rates: Floats) -> float:
    """P(policy > opponent) - KL(policy || uniform) / STEP."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(policy > 0, policy * np.log(policy * len(policy)), 0.0)
    return policy @ rates - terms.sum() / STEP


class Proposed(NamedTuple):
    """After each budget of verdicts: the share of the best soft value, and that of the best win rate seen."""

    value: list[float]
    seen: list[float]


def proposed(game: TokenGame, rule: Choice | str, budgets: Sequence[int], seed: int) -> Proposed:
    """Verdicts proposed by a rule of search, or by draws of the "reference" or of the "current" policy."""
    rng, uniform = np.random.default_rng([seed, 7]), np.full(len(game.tokens), 1 / len(game.tokens))
    best = soft_value(softmax(STEP * game.rates), game.rates)
    prefixes = Prefixes(game.tokens)
    tree = Tree(ListedSpace(prefixes, uniform, game.rates), pg.PUCT(), (seed,))
    if not isinstance(rule, str):
        tree = Tree(tree.space, rule, (seed,))
    policy, found = uniform, Proposed([], [])
    for budget in budgets:
        if isinstance(rule, str):
            for draw in range(TRIES * budget):
                if len(tree.verdicts) >= budget:
                    break
                y = game.tokens[rng.choice(len(policy), p=policy)]
                tree.replay({y: float(game.rates[prefixes.number[y]])})
                if rule == "current" and draw % EVERY == EVERY - 1:
                    policy = _tilted(tree, prefixes)
        else:
            tree.explore(budget - len(tree.verdicts))
        found.value.append(soft_value(_tilted(tree, prefixes), game.rates) / best)
        found.seen.append(max(tree.verdicts.values()) / game.rates.max())
    return found


def _tilted(tree: Tree, prefixes: Prefixes) -> Floats:
    return softmax(STEP * np.array([tree.worth(response) for response in prefixes.responses]))
