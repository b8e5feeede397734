"""What votes say: a Nash mixture with its uncertainty beside Elo and Bradley-Terry, and what a ranking hides.

`analyse` computes every number, as plain lists and dictionaries; `write_report` puts them into report.json
and onto one page, report.html, which needs no network.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.exact.certificates import exploitability, prompt_exploitability
from pgames.exact.equilibrium import nash
from pgames.files import atomic
from pgames.games.preference import PreferenceGame
from pgames.progress import track
from pgames.ratings import Ratings, average_win_rate, bradley_terry, elo, hodge
from pgames.ratings.estimate import BT_PRIOR, POOLING, estimate, ranking_worth
from pgames.votes.comparisons import Comparisons

LEVEL = 0.95  # of every interval
ELO_SCALE = 400 / np.log(10)  # points per unit of Bradley-Terry strength
CYCLES = 8
PLAYED = 1e-6  # a smaller probability counts as 0


def write_report(
    votes: Comparisons, out: str | os.PathLike[str], title: str = "votes", resamples: int = 200, seed: int = 0
) -> tuple[Path, Path]:
    """Compute everything, then write report.html and report.json into the folder; return their paths."""
    from pgames.report.page import report_page

    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a folder is needed: pass another --out.")
    numbers = analyse(votes, resamples, seed)
    page = report_page(numbers, title).encode()
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False).encode()
    targets = folder / "report.html", folder / "report.json"
    for target, content in zip(targets, (page, text), strict=True):
        with atomic(target) as file:
            file.write(content)
    return targets


def analyse(votes: Comparisons, resamples: int = 200, seed: int = 0) -> dict[str, Any]:
    """Every number of the report, a function of the votes, the number of resamples and the seed.

    The game is `estimate(votes, ranking_worth(votes))`; the Nash mixture is its equilibrium at tau = 0, the
    centre if there are several. Intervals of the mixture and of Elo are percentiles over resampled votes,
    those of Bradley-Terry are normal with a robust covariance.
    """
    import pgames

    worth = ranking_worth(votes)
    game = estimate(votes, worth)
    equilibrium = nash(game, select="centre")
    ratings = _ratings(votes)
    parts = hodge(game, cycles=CYCLES)
    place = {name: y for y, name in enumerate(votes.items)}
    cycles = [tuple(place[name] for name in cycle.items) for cycle in parts.cycles]
    samples = _resample(votes, cycles, worth, resamples, seed)
    return {
        "pgames": pgames.__version__,
        "settings": {
            "ranking_worth": worth,
            "pooling": POOLING,
            "select": "centre",
            "resamples": resamples,
            "seed": seed,
            "level": LEVEL,
            "bradley_terry_prior": ratings["prior"],
        },
        "votes": {
            "count": len(votes),
            "items": len(votes.items),
            "prompts": len(votes.prompts),
            "ties": int(np.count_nonzero(votes.winner == 0)),
            "pairs": len(votes.items) * (len(votes.items) - 1) // 2,
            "pairs_compared": _pairs_compared(votes),
        },
        "names": list(votes.items),
        "items": _items(votes, equilibrium.policy[0], ratings, samples),
        "nash": {
            "exploitability": equilibrium.exploitability,
            "played": int((equilibrium.policy[0] > PLAYED).sum()),
        },
        "transitive_share": {
            "value": parts.transitive_share,
            "under_a_perfect_ranking": _noise_share(votes, ratings["bradley_terry"], worth, resamples, seed),
        },
        "cycles": [
            {
                "items": list(cycle.items),
                "strength": cycle.strength,
                "win_rates": [float(game.P[0, a, b]) for a, b in _around(members)],
                "votes": [_met(votes, a, b) for a, b in _around(members)],
                "share_of_resamples": float(held),
            }
            for cycle, members, held in zip(parts.cycles, cycles, samples["cycles"], strict=True)
        ],
        "top_rated": [
            _top(name, ratings[name], game, votes) for name in ("elo", "bradley_terry", "win_rate")
        ],
        "prompts": _by_prompt(votes, equilibrium.policy[0], worth),
        "win_rates": game.P[0].tolist(),
    }


def _ratings(votes: Comparisons) -> dict[str, Any]:
    """Elo, Bradley-Terry on its scale, and mean win rates; with a prior where scores would be infinite."""
    prior = 0.0
    try:
        strengths = bradley_terry(votes, level=LEVEL)
    except ValueError:
        prior = BT_PRIOR
        strengths = bradley_terry(votes, prior=prior, level=LEVEL)
    return {
        "elo": elo(votes),
        "bradley_terry": strengths,
        "win_rate": average_win_rate(votes),
        "prior": prior,
    }


def _resample(
    votes: Comparisons, cycles: list[tuple[int, ...]], worth: float, resamples: int, seed: int
) -> dict[str, Any]:
    """Percentile intervals float64[Y, 2] of the Nash mixture and of Elo, and how often each cycle held."""
    mixtures = np.empty((resamples, len(votes.items)))
    scores = np.empty_like(mixtures)
    held = np.zeros(len(cycles))
    for k, sample in enumerate(track(votes.bootstrap(resamples, seed), "resampling votes", resamples)):
        game = estimate(sample, worth)
        mixtures[k] = nash(game, select="centre").policy[0]
        scores[k] = elo(sample).scores
        held += [all(game.skew[0, a, b] > 0 for a, b in _around(cycle)) for cycle in cycles]
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    return {
        "nash": np.quantile(mixtures, ends, axis=0).T,
        "elo": np.quantile(scores, ends, axis=0).T,
        "played": (mixtures > PLAYED).mean(axis=0),
        "cycles": held / resamples,
    }


def _noise_share(votes: Comparisons, model: Ratings, worth: float, resamples: int, seed: int) -> list[float]:
    """Interval of the transitive share if the Bradley-Terry ranking were the whole truth: the rest is noise.

    Every pair is asked again as often as it was, with the model's win rate and the ties of the data.
    """
    wins, ties = votes.pooled_counts
    upper = np.triu_indices(len(votes.items), 1)
    asked = (wins + wins.T + ties)[upper].astype(np.int64)
    rate = 0.5 + 0.5 * np.tanh((model.scores[:, None] - model.scores[None, :])[upper] / 2)
    tie = np.minimum(ties.sum() / (ties.sum() + 2 * wins.sum()), 2 * np.minimum(rate, 1 - rate))
    chances = np.stack([rate - tie / 2, tie, np.maximum(1 - rate - tie / 2, 0)], axis=1)
    chances /= chances.sum(axis=1, keepdims=True)
    shares = np.empty(resamples)
    for k in track(range(resamples), "asking a perfect ranking", resamples):
        won, tied = np.random.default_rng([seed, k, 1]).multinomial(asked, chances).T[:2]
        again = _expand(*upper, won, tied, asked - won - tied, votes.items)
        shares[k] = hodge(estimate(again, worth), cycles=0).transitive_share
    return [float(end) for end in np.quantile(shares, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))]


def _expand(
    left: NDArray, right: NDArray, won: NDArray, tied: NDArray, lost: NDArray, items: tuple[str, ...]
) -> Comparisons:
    """Counts by pair as votes."""
    pairs = np.concatenate([np.repeat(np.arange(len(won)), times) for times in (won, tied, lost)])
    winner = np.repeat(np.array([1, 0, -1], dtype=np.int8), [won.sum(), tied.sum(), lost.sum()])
    return Comparisons(left[pairs], right[pairs], winner, items)


def _items(
    votes: Comparisons, mixture: NDArray[np.float64], ratings: dict[str, Any], samples: dict[str, Any]
) -> list[dict[str, Any]]:
    """One entry per item, the most played first, then by Bradley-Terry."""
    wins, ties = votes.pooled_counts
    cast = (wins + wins.T + ties).sum(axis=1)
    strengths = ratings["bradley_terry"]
    order = np.lexsort((-strengths.scores, -np.where(mixture > PLAYED, mixture, 0)))
    return [
        {
            "name": votes.items[y],
            "votes": int(cast[y]),
            "nash": {
                "probability": float(mixture[y]),
                "interval": samples["nash"][y].tolist(),
                "share_of_resamples": float(samples["played"][y]),
            },
            "elo": {"score": float(ratings["elo"].scores[y]), "interval": samples["elo"][y].tolist()},
            "bradley_terry": {
                "score": float(ELO_SCALE * strengths.scores[y]),
                "interval": (ELO_SCALE * strengths.intervals[y]).tolist(),
            },
            "win_rate": float(ratings["win_rate"].scores[y]),
        }
        for y in map(int, order)
    ]


def _top(rating: str, scores: Ratings, game: PreferenceGame, votes: Comparisons) -> dict[str, Any]:
    """How much a best response gains on the policy that always plays the item rated highest."""
    top = int(scores.order[0])
    always = np.zeros(game.responses)
    always[top] = 1.0
    rival = int(np.argmax(game.skew[0, :, top]))
    beaten = game.skew[0, rival, top] > 0
    return {
        "rating": rating,
        "item": game.labels[top],
        "exploitability": exploitability(game, always),
        "beaten_by": game.labels[rival] if beaten else None,
        "win_rate": float(game.P[0, rival, top]) if beaten else None,
        "votes": _met(votes, rival, top) if beaten else None,
    }


def _by_prompt(votes: Comparisons, pooled: NDArray[np.float64], worth: float) -> dict[str, Any] | None:
    """The contextual game: an equilibrium on every prompt, and what ignoring prompts costs; None for one."""
    if len(votes.prompts) == 1:
        return None
    game = estimate(votes, worth, by_prompt=True)
    equilibrium = nash(game, select="centre")
    own = prompt_exploitability(game, equilibrium.policy)
    ignoring = prompt_exploitability(game, np.tile(pooled, (game.prompts, 1)))
    cast = np.bincount(votes.prompt, minlength=game.prompts)
    return {
        "exploitability": equilibrium.exploitability,
        "worst_exploitability": float(own.max()),
        "pooled_mixture_exploitability": float(ignoring @ game.prompt_weights),
        "each": [
            {
                "name": name,
                "votes": int(cast[x]),
                "exploitability": float(own[x]),
                "pooled_mixture_exploitability": float(ignoring[x]),
                "nash": {
                    game.labels[y]: float(equilibrium.policy[x, y])
                    for y in np.argsort(-equilibrium.policy[x], kind="stable")
                    if equilibrium.policy[x, y] > PLAYED
                },
            }
            for x, name in enumerate(votes.prompts)
        ],
    }


def _around(cycle: tuple[int, ...]) -> list[tuple[int, int]]:
    """(winner, loser) for each step of a cycle."""
    return list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def _pairs_compared(votes: Comparisons) -> int:
    wins, ties = votes.pooled_counts
    return int(np.count_nonzero(np.triu(wins + wins.T + ties, 1)))


def _met(votes: Comparisons, a: int, b: int) -> int:
    """How many votes compared a with b."""
    wins, ties = votes.pooled_counts
    return int(wins[a, b] + wins[b, a] + ties[a, b])
