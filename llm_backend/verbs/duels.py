"""Duels on text, and policies fitted to compared pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_backend.context import Context
from llm_backend.data import Pair, as_asked
from llm_backend.fits.pair_objectives import FitPairs
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats, Ints, pairs_within
from llm_backend.verbs.evidence import Duels, Samples
from llm_backend.verbs.steps import leaf_scores, train
from llm_backend.verbs.verdicts import judged, rates
from pgames.losses import PairLoss


def duel(context: Context, first: Policy, second: Policy) -> Duels:
    """`samples` judged pairs per prompt of the round, a response of each policy: M = samples * prompts pairs.

    A pair on which a partial judge has no verdict has no wins. In exact play, every pair of listed responses,
    with the expected wins of one duel per prompt.
    """
    if context.exact:
        return _expected(context, first, second, rates(context))
    ours, theirs = context.draw(first, "first"), context.draw(second, "second")
    won = judged(context.judge, context.prompts, ours, theirs, some=True)
    return paired(context, ours, theirs, np.nan_to_num(np.stack([won, 1 - won], axis=1)))


def demonstrate(context: Context, winner: Policy, loser: Policy) -> Duels:
    """The pairs of `duel`, all won by the response of `winner`; no judge is asked."""
    if context.exact:
        X, Y = context.listing.support.shape
        return _expected(context, winner, loser, np.ones((X, Y, Y)))
    ours, theirs = context.draw(winner, "first"), context.draw(loser, "second")
    return paired(context, ours, theirs, np.tile([1.0, 0.0], (len(ours), 1)))


def given(context: Context, pairs: Sequence[Pair]) -> Duels:
    """Pairs that were judged elsewhere, as evidence about this game; equal responses share a row.

    Raises ValueError for a prompt or a listed response that the game does not have, and a response that holds
    a stop token or exceeds the model's context.
    """
    places = {prompt: x for x, prompt in enumerate(context.prompts)}
    rows: dict[tuple[int, str], int] = {}
    met = np.empty((len(pairs), 2), np.int64)
    for m, pair in enumerate(pairs):
        if (x := places.get(as_asked(pair.prompt))) is None:
            raise ValueError(
                f"pair {m} answers {as_asked(pair.prompt)!r:.60}, which is not a prompt of this arena: make "
                "the arena with prompts_of(pairs)."
            )
        met[m] = [rows.setdefault((x, text), len(rows)) for text in (pair.chosen, pair.rejected)]
    wins = np.array([pair.win for pair in pairs], np.float64)
    return Duels(_said(context, list(rows)), met, np.stack([wins, 1 - wins], axis=1))


def _said(context: Context, rows: list[tuple[int, str]]) -> Draws:
    """Texts that answer prompts, given by number, as rows."""
    prompt, texts = np.array([x for x, _ in rows], np.int64), [text for _, text in rows]
    if (listed := context.space.listed) is not None:
        for x, text in rows:
            if text not in listed.texts[x]:
                raise ValueError(
                    f"{text!r:.60} is not a response to prompt {x} in this game: add it to responses."
                )
        column = np.array([listed.texts[x].index(text) for x, text in rows], np.int64)
        return listed.all.take(listed.row(prompt, column))
    asked = context.space.sampling.prompts
    tokens = tuple(tuple(context.lm.encode_response(text, asked[x])) for x, text in rows)
    context.lm.check_length(max(len(asked[x]) + len(row) for x, row in zip(prompt, tokens, strict=True)))
    count = len(rows)
    return Draws(prompt, tokens, tuple(texts), np.full(count, -1), np.zeros(count, np.bool_))


def paired(context: Context, first: Draws, second: Draws, wins: Floats) -> Duels:
    """Row m of `first` against row m of `second`, with wins float64[M, 2]."""
    if (listed := context.space.listed) is not None:  # rows of the list, so that repeated responses share one
        pairs = np.stack([listed.row(d.prompt, d.column) for d in (first, second)], axis=1)
        return Duels(listed.all, pairs, wins)
    count = np.arange(len(first))
    return Duels(Draws.join([first, second]), np.stack([count, count + len(first)], axis=1), wins)


def fit_pairs(
    context: Context,
    prior: Policy,
    pairs: Duels,
    loss: PairLoss,
    beta: float,
    samples: Samples | None,
    weight: float,
    bound: float,
) -> Policy:
    """argmin_pi of the mean, over prompts and their pairs, of loss(beta * difference of log(pi / prior)).

    Plus weight / (number of pairs) * sum of log pi(samples), over samples with beta |log pi / prior| below
    `bound` (XPO, arXiv:2405.21046). Returns the prior when no pair has two different responses.
    """
    texts, counted = pairs.draws.texts, pairs.wins.sum(axis=1) > 0
    differ = [m for m, (i, j) in enumerate(pairs.pairs) if counted[m] and texts[i] != texts[j]]
    if not differ:  # a response against itself carries no information
        return prior
    met, where = np.unique(pairs.pairs[differ], return_inverse=True)
    draws, where, bonus = pairs.draws.take(met), where.reshape(-1, 2), None
    wins = pairs.wins[differ]
    if samples is not None and weight != 0:
        judgements, count = wins.sum(axis=1), len(context.prompts)
        mass = np.bincount(draws.prompt[where[:, 0]], judgements, count)
        every = np.bincount(pairs.draws.prompt[pairs.pairs[:, 0]], pairs.wins.sum(axis=1), count)
        mass = np.where(mass > 0, mass, every)  # of prompts whose pairs are all of equal responses
        share = weight * samples.weight / np.where(mass > 0, mass, np.inf)[samples.draws.prompt]
        draws, where, bonus = _with_samples(context, draws, met, where, samples.draws, share)
    scores, log_prior = leaf_scores(context, prior, draws)
    size = np.array([len(row) if context.fit.per_token else 1.0 for row in draws.tokens])
    objective = FitPairs(draws, log_prior, where, wins, loss, beta, 1 / size, bonus, bound, context.listed)
    return train(context, objective, scores, "fit_pairs")


def _with_samples(
    context: Context, draws: Draws, met: Ints, where: Ints, samples: Draws, share: Floats
) -> tuple[Draws, Ints, Floats]:
    """Rows of pairs and samples, the pairs renumbered, and the weight float64[B] of each row as a sample."""
    if (listed := context.space.listed) is not None:
        every, rows = listed.of(np.union1d(draws.prompt, samples.prompt))
        bonus = np.zeros(len(every))
        np.add.at(bonus, np.searchsorted(rows, listed.row(samples.prompt, samples.column)), share)
        return every, np.searchsorted(rows, met)[where], bonus
    return Draws.join([draws, samples]), where, np.concatenate([np.zeros(len(met)), share])


def _expected(context: Context, first: Policy, second: Policy, won: Floats) -> Duels:
    """The expectation of one duel per prompt in which y beats z with probability won[x, y, z]."""
    listed = context.listing
    met = listed.probs(first)[:, :, None] * listed.probs(second)[:, None, :]
    wins = met * won + np.swapaxes(met * (1 - won), 1, 2)  # of y against z, whichever was drawn first
    draws = listed.all
    pairs = pairs_within(draws, len(context.prompts))
    x, (y, z) = draws.prompt[pairs[:, 0]], draws.column[pairs].T
    return Duels(draws, pairs, np.stack([wins[x, y, z], wins[x, z, y]], axis=1))
