"""The analysis of votes: the Nash mixture with its uncertainty, ratings and cycles."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.audits import audit
from pgames.exact.certificates import exploitability, prompt_exploitability
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame
from pgames.ratings import BradleyTerry, Ratings, average_win_rate, bradley_terry, elo, hodge
from pgames.ratings.bradley_terry import without_prior
from pgames.ratings.estimate import BT_PRIOR, ESTIMATOR, POOLING, Estimated, estimated, pooled_game
from pgames.ratings.hodge import Cycle
from pgames.ratings.resampling import ELO_INITIAL, ELO_K, Resampled, Steps, resample, shares_of_a_ranking
from pgames.ratings.sources import effective_weights
from pgames.report.notes import notes_on
from pgames.report.numbers import (
    Analysis,
    CycleFacts,
    Interval,
    Item,
    Mixture,
    Played,
    Probe,
    PromptFacts,
    Prompts,
    Score,
    Settings,
    TopRated,
    TransitiveShare,
    VoteCounts,
)
from pgames.votes.comparisons import Comparisons

LEVEL = 0.95  # of every interval
ENDS = (1 - LEVEL) / 2, (1 + LEVEL) / 2
ELO_SCALE = 400 / np.log(10)  # points per unit of Bradley-Terry strength
CYCLES = 8
AUDIT_RESAMPLES = 100
PLAYED = 1e-6  # a smaller probability counts as 0
Weights = NDArray[np.float64] | None


class Rated(NamedTuple):
    """Three ratings of the votes; `prior` is Bradley-Terry's, 0 if its scores are finite without one."""

    elo: Ratings
    bradley_terry: BradleyTerry
    win_rate: Ratings
    prior: float


def analyse(
    votes: Comparisons,
    resamples: int = 200,
    seed: int = 0,
    anchor: str | None = None,
    weights: ArrayLike | None = None,
    annotator: ArrayLike | None = None,
    time: ArrayLike | None = None,
) -> Analysis:
    """All numbers of the report, as a function of the votes and the arguments.

    The game is `pgames.estimate` of the votes over all prompts; the Nash mixture is its equilibrium at
    tau = 0, the centre if there are several. Intervals of the mixture and of Elo are percentiles over
    `resamples` of the votes by the seed (`pgames.ratings.redrawn`), those of Bradley-Terry are of the profile
    likelihood.

    Parameters
    ----------
    anchor : the item at 0 on the Bradley-Terry scale; by default the mean of the items is at 0.
    weights : float64[N], one per vote, for the game, the mixture and Bradley-Terry. Elo and win rates take
        every vote alike.
    annotator, time : [N] and float64[N], for the audit (see `pgames.audits`).

    Raises ValueError when no item has the name of the anchor, or when a column is not that of the votes.
    """
    import pgames

    if anchor is not None and anchor not in votes.items:
        raise ValueError(
            f"no item is named {anchor!r}, to be the anchor: there are {', '.join(votes.items[:8])}."
        )
    w = None if weights is None else effective_weights(votes, weights)
    found = estimated(votes, weights=w, level=LEVEL)
    game = found.game if len(votes.prompts) == 1 else pooled_game(votes, found)
    equilibrium = nash(game, select="centre")
    mixture = equilibrium.policy[0]
    rated = _rated(votes, found, anchor, w)
    parts = hodge(game, cycles=CYCLES)
    place = {name: y for y, name in enumerate(votes.items)}
    steps = [_around([place[name] for name in cycle.items]) for cycle in parts.cycles]
    samples = resample(votes, found, steps, resamples, seed, w)
    held = samples.held.sum(axis=0) / resamples
    noise = shares_of_a_ranking(votes, rated.bradley_terry, found.worth, resamples, seed)
    themselves = 0 if votes.left_out is None else votes.left_out.themselves
    audited = audit(votes, annotator, time, themselves, seed, AUDIT_RESAMPLES, found if w is None else None)
    return Analysis(
        pgames=pgames.__version__,
        settings=Settings(
            ESTIMATOR,
            found.worth,
            POOLING,
            "centre",
            ELO_INITIAL,
            ELO_K,
            resamples,
            seed,
            LEVEL,
            rated.prior,
            anchor,
            w is not None,
        ),
        votes=_vote_counts(votes),
        notes=notes_on(votes, found.counts.points),
        audit=tuple(
            Probe(one.probe, one.fires, one.p_value, one.line, one.measure, dict(one.details))
            for one in audited.findings
        ),
        names=votes.items,
        items=_items(votes, mixture, rated, samples),
        nash=Mixture(equilibrium.exploitability, int((mixture > PLAYED).sum())),
        transitive_share=TransitiveShare(parts.transitive_share, _interval(np.quantile(noise, ENDS))),
        cycles=tuple(
            _cycle(votes, game, *one) for one in zip(parts.cycles, steps, held.tolist(), strict=True)
        ),
        top_rated=tuple(
            _top(name, getattr(rated, name), game, votes) for name in ("elo", "bradley_terry", "win_rate")
        ),
        prompts=_by_prompt(votes, mixture, found.game) if len(votes.prompts) > 1 else None,
        win_rates=game.P[0].tolist(),
    )


def _rated(votes: Comparisons, found: Estimated, anchor: str | None, weights: Weights) -> Rated:
    """Elo, Bradley-Terry and mean win rates; the model of the estimate replaces infinite scores."""
    model = found.model
    if anchor is not None:  # the intervals of differences from the anchor
        model = bradley_terry(votes, prior=BT_PRIOR, level=LEVEL, anchor=anchor, weights=weights)
    strengths = without_prior(votes, model, found.counts)
    if strengths is not None and anchor is not None:
        shift = strengths[anchor]
        strengths = replace(strengths, scores=strengths.scores - shift, intervals=model.intervals)
    prior = BT_PRIOR if strengths is None else 0.0
    return Rated(elo(votes, ELO_INITIAL, k=ELO_K), strengths or model, average_win_rate(votes), prior)


def _vote_counts(votes: Comparisons) -> VoteCounts:
    items = len(votes.items)
    compared = int(np.count_nonzero(np.triu(votes.pooled_counts.votes, 1)))
    ties = int(np.count_nonzero(votes.winner == 0))
    return VoteCounts(len(votes), items, len(votes.prompts), ties, items * (items - 1) // 2, compared)


def _items(
    votes: Comparisons, mixture: NDArray[np.float64], rated: Rated, samples: Resampled
) -> tuple[Item, ...]:
    """One entry per item, ordered by the mixture, then by Bradley-Terry."""
    cast = votes.pooled_counts.votes.sum(axis=1)
    strengths = rated.bradley_terry
    assert strengths.intervals is not None
    mixtures, scores = (np.quantile(one, ENDS, axis=0).T for one in (samples.mixtures, samples.elo))
    played = (samples.mixtures > PLAYED).mean(axis=0)
    order = np.lexsort((-strengths.scores, -np.where(mixture > PLAYED, mixture, 0)))
    return tuple(
        Item(
            votes.items[y],
            int(cast[y]),
            Played(float(mixture[y]), _interval(mixtures[y]), float(played[y])),
            Score(float(rated.elo.scores[y]), _interval(scores[y])),
            Score(float(ELO_SCALE * strengths.scores[y]), _interval(ELO_SCALE * strengths.intervals[y])),
            float(rated.win_rate.scores[y]),
        )
        for y in map(int, order)
    )


def _cycle(votes: Comparisons, game: PreferenceGame, cycle: Cycle, around: Steps, held: float) -> CycleFacts:
    """A cycle with the win rate and the votes of each of its steps."""
    return CycleFacts(
        cycle.items,
        cycle.strength,
        tuple(float(game.P[0, a, b]) for a, b in around),
        tuple(_met(votes, a, b) for a, b in around),
        held,
    )


def _top(rating: str, scores: Ratings, game: PreferenceGame, votes: Comparisons) -> TopRated:
    """The gain of a best response to the policy that always plays the item rated highest."""
    top = int(scores.order[0])
    always = np.zeros(game.responses)
    always[top] = 1.0
    rival = int(np.argmax(game.skew[0, :, top]))
    gain = float(exploitability(game, always))
    if not game.skew[0, rival, top] > 0:
        return TopRated(rating, game.labels[top], gain, None, None, None)
    beaten = game.labels[rival], float(game.P[0, rival, top]), _met(votes, rival, top)
    return TopRated(rating, game.labels[top], gain, *beaten)


def _by_prompt(votes: Comparisons, pooled: NDArray[np.float64], game: PreferenceGame) -> Prompts:
    """The contextual game: an equilibrium on every prompt, and the loss of the mixture over all prompts."""
    equilibrium = nash(game, select="centre")
    exact = prompt_exploitability(game, equilibrium.policy)
    ignoring = prompt_exploitability(game, np.tile(pooled, (game.prompts, 1)))
    cast = np.bincount(votes.prompt, minlength=game.prompts)
    return Prompts(
        equilibrium.exploitability,
        float(exact.max()),
        float(ignoring @ game.prompt_weights),
        _played(game.labels, game.prompt_weights @ equilibrium.policy),
        tuple(
            PromptFacts(
                name,
                int(cast[x]),
                float(exact[x]),
                float(ignoring[x]),
                _played(game.labels, equilibrium.policy[x]),
            )
            for x, name in enumerate(votes.prompts)
        ),
    )


def _played(labels: tuple[str, ...], policy: NDArray[np.float64]) -> dict[str, float]:
    """The items that a policy plays, most played first."""
    order = np.argsort(-policy, kind="stable")
    return {labels[y]: float(policy[y]) for y in order if policy[y] > PLAYED}


def _around(cycle: list[int]) -> Steps:
    """(winner, loser) for each step of a cycle."""
    return list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def _met(votes: Comparisons, a: int, b: int) -> int:
    """The number of votes on a and b."""
    return int(votes.pooled_counts.votes[a, b])


def _interval(ends: NDArray[np.float64]) -> Interval:
    low, high = ends.tolist()
    return low, high
