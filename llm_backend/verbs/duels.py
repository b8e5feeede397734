"""Duels on text, and policies fitted to compared pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llm_backend.fits.fit import best_start
from llm_backend.fits.objectives import FitPairs
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats, Ints, pairs_within
from llm_backend.verbs.evidence import Duels, Samples
from llm_backend.verbs.steps import scored, train
from llm_backend.verbs.verdicts import judged
from pgames.arena import PairLoss

if TYPE_CHECKING:
    from llm_backend.arena import TextArena


def duel(arena: TextArena, first: Policy, second: Policy) -> Duels:
    """`TextArena.duel`."""
    if arena.samples is None:
        return _expected(arena, first, second, arena.rates())
    ours, theirs = arena.draw(first, "first"), arena.draw(second, "second")
    won = judged(arena.judge, arena.prompts, ours, theirs)
    return paired(arena, ours, theirs, np.stack([won, 1 - won], axis=1))


def demonstrate(arena: TextArena, winner: Policy, loser: Policy) -> Duels:
    """`TextArena.demonstrate`."""
    if arena.samples is None:
        X, Y = arena.space.support.shape
        return _expected(arena, winner, loser, np.ones((X, Y, Y)))
    ours, theirs = arena.draw(winner, "first"), arena.draw(loser, "second")
    return paired(arena, ours, theirs, np.tile([1.0, 0.0], (len(ours), 1)))


def paired(arena: TextArena, first: Draws, second: Draws, wins: Floats) -> Duels:
    """The rows of two draws, one against one."""
    if arena.listed:  # one row per response, so that what repeats is one
        pairs = np.stack([arena.space.row(d.prompt, d.column) for d in (first, second)], axis=1)
        return Duels(arena.space.all, pairs, wins)
    count = np.arange(len(first))
    return Duels(Draws.join([first, second]), np.stack([count, count + len(first)], axis=1), wins)


def fit_pairs(
    arena: TextArena,
    prior: Policy,
    pairs: Duels,
    loss: PairLoss,
    beta: float,
    samples: Samples | None,
    weight: float,
    bound: float,
) -> Policy:
    """`TextArena.fit_pairs`."""
    texts, said = pairs.draws.texts, pairs.wins.sum(axis=1) > 0
    differ = [m for m, (i, j) in enumerate(pairs.pairs) if said[m] and texts[i] != texts[j]]
    if not differ:  # as on a table: a response against itself says nothing
        return prior
    met, where = np.unique(pairs.pairs[differ], return_inverse=True)
    draws, where, bonus = pairs.draws.take(met), where.reshape(-1, 2), None
    wins = pairs.wins[differ]
    if samples is not None and weight != 0:
        judged, count = wins.sum(axis=1), len(arena.prompts)
        mass = np.bincount(draws.prompt[where[:, 0]], judged, count)
        every = np.bincount(pairs.draws.prompt[pairs.pairs[:, 0]], pairs.wins.sum(axis=1), count)
        mass = np.where(mass > 0, mass, every)  # where no two responses differed
        share = weight * samples.weight / np.where(mass > 0, mass, np.inf)[samples.draws.prompt]
        draws, where, bonus = _with_samples(arena, draws, met, where, samples.draws, share)
    scores, log_prior = scored(arena, prior, draws)
    size = np.array([len(row) if arena.fit.per_token else 1.0 for row in draws.tokens])
    objective = FitPairs(draws, log_prior, where, wins, loss, beta, 1 / size, bonus, bound, arena.listed)
    return train(arena, objective, best_start(objective, scores), "fit_pairs")


def _with_samples(
    arena: TextArena, draws: Draws, met: Ints, where: Ints, samples: Draws, share: Floats
) -> tuple[Draws, Ints, Floats]:
    """Rows of pairs and of samples, the pairs renumbered, and what each row weighs as a sample."""
    if arena.listed:
        every, rows = arena.space.of(np.union1d(draws.prompt, samples.prompt))
        bonus = np.zeros(len(every))
        np.add.at(bonus, np.searchsorted(rows, arena.space.row(samples.prompt, samples.column)), share)
        return every, np.searchsorted(rows, met)[where], bonus
    return Draws.join([draws, samples]), where, np.concatenate([np.zeros(len(met)), share])


def _expected(arena: TextArena, first: Policy, second: Policy, rates: Floats) -> Duels:
    """The expectation of one duel per prompt in which y beats z with probability rates[x, y, z]."""
    met = arena.space.probs(first)[:, :, None] * arena.space.probs(second)[:, None, :]
    wins = met * rates + np.swapaxes(met * (1 - rates), 1, 2)  # of y against z, whoever was first
    draws = arena.space.all
    pairs = pairs_within(draws, len(arena.prompts))
    x, (y, z) = draws.prompt[pairs[:, 0]], draws.column[pairs].T
    return Duels(draws, pairs, np.stack([wins[x, y, z], wins[x, z, y]], axis=1))
