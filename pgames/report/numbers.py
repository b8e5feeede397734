"""The numbers of a report, typed; report.json holds `Analysis.plain()`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

Interval = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """How the numbers were computed."""

    estimate: str  # the estimator of the game
    ranking_worth: float  # votes that the ranking's prediction of a pair is worth
    pooling: float  # votes that the estimate over all prompts is worth on each prompt
    select: str  # the equilibrium taken where there are several
    elo_initial: float
    elo_k: float
    resamples: int
    seed: int
    level: float  # of every interval
    bradley_terry_prior: float  # 0 where the maximum likelihood scores are finite
    anchor: str | None  # the item at 0 of the Bradley-Terry scale; None for the mean of the items
    weighted: bool  # whether votes have weights


@dataclass(frozen=True)
class VoteCounts:
    """The size of the file."""

    count: int
    items: int
    prompts: int
    ties: int
    pairs: int
    pairs_compared: int


@dataclass(frozen=True)
class Probe:
    """What a probe of the audit found; `fires` is None where the votes lack what it needs."""

    probe: str
    fires: bool | None
    p_value: float | None  # None where the answer is a fact
    line: str
    measure: str  # of the details
    details: dict[str, float]


@dataclass(frozen=True)
class Played:
    """How often the Nash mixture plays an item."""

    probability: float
    interval: Interval
    share_of_resamples: float  # in which the mixture plays it


@dataclass(frozen=True)
class Score:
    """A rating with its interval."""

    score: float
    interval: Interval


@dataclass(frozen=True)
class Item:
    """One item, rated in four ways; `elo` and `bradley_terry` are in Elo points."""

    name: str
    votes: int
    nash: Played
    elo: Score
    bradley_terry: Score
    win_rate: float


@dataclass(frozen=True)
class Mixture:
    """The Nash mixture: its certificate, and the number of items it plays."""

    exploitability: float
    played: int


@dataclass(frozen=True)
class TransitiveShare:
    """The share of the preferences that one ranking explains, and its interval for votes on a ranking."""

    value: float
    under_a_perfect_ranking: Interval


@dataclass(frozen=True)
class CycleFacts:
    """A cycle of three items; `win_rates` and `votes` are those of its steps."""

    items: tuple[str, ...]
    strength: float
    win_rates: tuple[float, ...]
    votes: tuple[int, ...]
    share_of_resamples: float


@dataclass(frozen=True)
class TopRated:
    """The item that a rating puts first, and the item that beats it most often, if any does."""

    rating: str
    item: str
    exploitability: float
    beaten_by: str | None
    win_rate: float | None
    votes: int | None


@dataclass(frozen=True)
class PromptFacts:
    """The equilibrium of one prompt, and the loss of the mixture over all prompts there."""

    name: str
    votes: int
    exploitability: float
    pooled_mixture_exploitability: float
    nash: dict[str, float]  # the items played, most played first


@dataclass(frozen=True)
class Prompts:
    """The contextual game."""

    exploitability: float
    worst_exploitability: float
    pooled_mixture_exploitability: float
    average: dict[str, float]  # the mean of the equilibria, which `pgames solve` prints
    each: tuple[PromptFacts, ...]


@dataclass(frozen=True)
class Analysis:
    """Every number of a report. `win_rates` are in the order of `names`, `items` in that of the mixture."""

    pgames: str
    settings: Settings
    votes: VoteCounts
    notes: tuple[str, ...]  # what to know before the numbers
    audit: tuple[Probe, ...]
    names: tuple[str, ...]
    items: tuple[Item, ...]
    nash: Mixture
    transitive_share: TransitiveShare
    cycles: tuple[CycleFacts, ...]
    top_rated: tuple[TopRated, ...]
    prompts: Prompts | None
    win_rates: list[list[float]]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The lines that a reader must see first: the notes, and the probes that fire."""
        fired = (f"audit, {one.probe}: {one.line}" for one in self.audit if one.fires)
        return (*(f"note: {note}" for note in self.notes), *fired)

    def plain(self) -> dict[str, Any]:
        """The same as dictionaries and lists, for JSON."""
        return _plain(self)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(one) for one in value] if isinstance(value, (tuple, list)) else value
