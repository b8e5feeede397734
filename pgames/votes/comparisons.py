"""Comparisons: pairwise votes as compact rows, with their counts and the game of their smoothed win rates."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.counts import PairCounts
from pgames.games.preference import PreferenceGame
from pgames.numerics import check_bool, check_whole
from pgames.votes.columns import (
    distinct_names,
    fault,
    first_bad_row,
    integer_column,
    tally,
    tally_by_prompt,
)
from pgames.votes.smoothing import NamedCounts, Ties, check_memory, reference_of, smoothed

if TYPE_CHECKING:
    from pgames.votes.faults import LeftOut, Read

COUNTS_LIMIT = 8 * 2**30  # bytes that the tables of counts may take


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Comparisons:
    """Votes on pairs of items, in the order in which they were cast; 13 bytes a vote.

    Parameters
    ----------
    left, right : int32[N], the items compared; item i is `items[i]`.
    winner : int8[N], +1 when left won, 0 for a tie, -1 when right won.
    items : the names of the Y items; "0", "1", ... by default.
    prompt : int32[N], the prompt of each vote; one prompt by default.
    prompts : the names of the X prompts.

    `recognised` says what a file of votes was recognised as. `notes` holds lines on rows that were left out
    and on names that look alike.

    Values are immutable; `+` concatenates two, matching items and prompts by name. Raises ValueError,
    naming the first wrong row, when a row is not a vote between two different items.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    winner: NDArray[np.int8]
    prompt: NDArray[np.int32]
    items: tuple[str, ...]
    prompts: tuple[str, ...]
    recognised: str = ""
    notes: tuple[str, ...] = ()
    left_out: LeftOut | None = None

    def __init__(
        self,
        left: ArrayLike,
        right: ArrayLike,
        winner: ArrayLike,
        items: Sequence[str] | None = None,
        prompt: ArrayLike | None = None,
        prompts: Sequence[str] | None = None,
    ):
        columns = {
            "left": integer_column("left", left, np.int32),
            "right": integer_column("right", right, np.int32),
            "winner": integer_column("winner", winner, np.int8),
        }
        rows = columns["left"].size
        prompt = np.zeros(rows, np.int32) if prompt is None else prompt
        columns["prompt"] = integer_column("prompt", prompt, np.int32)
        sizes = {name: column.size for name, column in columns.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns must have one entry per vote, got lengths {sizes}.")
        if rows == 0:
            raise ValueError("there are no votes: at least one comparison is needed.")
        bad, most_item, most_prompt = first_bad_row(**columns)
        item_names = distinct_names("items", items, most_item + 1, rows)
        prompt_names = distinct_names("prompts", prompts, most_prompt + 1, rows)
        if bad >= 0:
            raise ValueError(fault(bad, *(int(column[bad]) for column in columns.values())))
        for name, value in {**columns, "items": item_names, "prompts": prompt_names}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_names(
        cls,
        left: Sequence[str],
        right: Sequence[str],
        winner: Sequence[str],
        prompt: Sequence[str] | None = None,
        drop: bool = False,
    ) -> Comparisons:
        """Votes given by names: lists, arrays, or columns of pandas, polars or pyarrow.

        A winner is the name of the item that won, or a word of `read`: "left", "model_a", "tie", ... `drop`
        leaves out rows that are not votes, such as those with a gap (None, NaN), and warns with their number.
        Raises ValueError, naming the row, when a row is not a vote.

        >>> Comparisons.from_names(["rock", "paper"], ["paper", "rock"], ["right", "paper"])
        Comparisons(votes=2, items=2, prompts=1, ties=0)
        """
        from pgames.votes.reading import named_votes

        return cls._of(named_votes(left, right, winner, prompt, drop))

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        left: str | None = None,
        right: str | None = None,
        winner: str | None = None,
        prompt: str | Literal[False] | None = None,
        drop: bool = False,
    ) -> Comparisons:
        """Votes from a file .csv, .tsv, .txt, .jsonl, .ndjson, .json (also .gz) or .parquet, read in pieces.

        `left`, `right` and `winner` name its columns. Without names they are found: left and right, or
        model_a and model_b (LMArena), with `winner`, or with winner_model_a, winner_model_b and winner_tie
        (Kaggle), or winner and loser. A column "prompt" is used when there is one; False leaves it unread.
        A winner is the name of the item that won, of its column, or a word: left, right, a, b, model_a, true,
        false, 1, 0, tie, draw, both_bad, ... in any case. Values are taken as the file writes them, and the
        result does not depend on the order of the rows. Items and prompts are sorted by name. `recognised`
        says what was found.

        `drop` leaves out rows that are not votes, and warns with their number by reason. Raises ValueError,
        naming the row and the value, when the file is missing, empty, cut or not a table of votes, and
        ModuleNotFoundError when a package of the extra `votes` is not installed.
        """
        from pgames.votes.reading import read_votes

        return cls._of(read_votes(path, left, right, winner, prompt, drop))

    @classmethod
    def _of(cls, read: Read) -> Comparisons:
        """The votes of a reader, which has checked every row."""
        votes = object.__new__(cls)
        names = {"items": read.items, "prompts": read.prompts or ("0",), "notes": read.notes}
        names["recognised"] = read.recognised
        names["left_out"] = read.left_out
        columns = {name: getattr(read, name) for name in ("left", "right", "winner", "prompt")}
        for name, value in {**columns, **names}.items():
            object.__setattr__(votes, name, value)
        if read.dropped:
            warnings.warn(read.dropped, stacklevel=3)
        return votes

    def __len__(self) -> int:
        return self.left.size

    def __repr__(self) -> str:
        ties = int(np.count_nonzero(self.winner == 0))
        items, prompts = len(self.items), len(self.prompts)
        return f"Comparisons(votes={len(self)}, items={items}, prompts={prompts}, ties={ties})"

    def __add__(self, other: Comparisons) -> Comparisons:
        if not isinstance(other, Comparisons):
            return NotImplemented
        items, item = _merge(self.items, other.items)
        prompts, prompt = _merge(self.prompts, other.prompts)
        return Comparisons(
            np.concatenate([self.left, item[other.left]]),
            np.concatenate([self.right, item[other.right]]),
            np.concatenate([self.winner, other.winner]),
            items,
            np.concatenate([self.prompt, prompt[other.prompt]]),
            prompts,
        )

    def subset(self, prompt: str | Iterable[str]) -> Comparisons:
        """The votes on one prompt, or on several, by name. All items are kept, so tables keep their shape.

        Raises ValueError when no prompt has that name, or no name is passed.
        """
        if not isinstance(prompt, Iterable):
            raise ValueError(f"subset needs the names of prompts, got {prompt!r:.60}.")
        wanted = [prompt] if isinstance(prompt, str) else list(dict.fromkeys(str(name) for name in prompt))
        unknown = [name for name in wanted if name not in self.prompts]
        if unknown:
            known = ", ".join(self.prompts[:8]) + (", ..." if len(self.prompts) > 8 else "")
            raise ValueError(f"no prompt is named {unknown[0]!r}: there are {known or 'no prompts'}.")
        if not wanted:
            raise ValueError("subset needs the name of at least one prompt, got none.")
        place = np.full(len(self.prompts), -1, np.int32)
        place[[self.prompts.index(name) for name in wanted]] = np.arange(len(wanted))
        keep = place[self.prompt] >= 0
        return self._rows(keep, place, wanted)

    def pooled(self) -> Comparisons:
        """The same votes on a single prompt."""
        return Comparisons(self.left, self.right, self.winner, self.items)

    def bootstrap(self, resamples: int, seed: int) -> Iterator[Comparisons]:
        """`resamples` samples of N votes drawn with replacement; the k-th depends on (seed, k) alone.

        Raises ValueError when resamples or seed is not a whole number of at least 0.
        """
        check_whole("resamples", resamples, 0)
        check_whole("seed", seed, 0)
        draws = (np.random.default_rng([seed, k]) for k in range(resamples))
        return (self._rows(draw.integers(len(self), size=len(self))) for draw in draws)

    def _rows(
        self, rows: NDArray, place: NDArray[np.int32] | None = None, prompts: Sequence[str] | None = None
    ) -> Comparisons:
        prompt = self.prompt[rows] if place is None else place[self.prompt[rows]]
        return Comparisons(
            self.left[rows],
            self.right[rows],
            self.winner[rows],
            self.items,
            prompt,
            self.prompts if prompts is None else prompts,
        )

    @cached_property
    def counts(self) -> PairCounts:
        """Wins and ties, float64[X, Y, Y] each; computed once.

        Raises ValueError when the tables would need more than 8 GiB.
        """
        X, Y = len(self.prompts), len(self.items)
        size = 28 * X * Y * Y  # two float64 tables and the int32 tallies they are made from
        if size > COUNTS_LIMIT:
            raise ValueError(
                f"counts of {X} prompts x {Y} items need {size / 2**30:.0f} GiB, more than "
                f"{COUNTS_LIMIT / 2**30:.0f}: read the votes with prompt=False "
                "(--no-prompt), or take fewer prompts with .subset(prompt=...) or .pooled()."
            )
        if X == 1:
            votes = tally(self.left, self.right, self.winner, Y)[None]
        else:
            votes = tally_by_prompt(self.left, self.right, self.winner, self.prompt, X, Y)
        wins = np.add(votes[:, 2], votes[:, 0].transpose(0, 2, 1), dtype=np.float64)
        ties = np.add(votes[:, 1], votes[:, 1].transpose(0, 2, 1), dtype=np.float64)
        wins.setflags(write=False)
        ties.setflags(write=False)
        return PairCounts(wins, ties)

    @cached_property
    def pooled_counts(self) -> PairCounts:
        """Wins and ties over all prompts, float64[Y, Y] each; computed once, without counts by prompt."""
        counts = self.counts if len(self.prompts) == 1 else self.pooled().counts
        assert counts.ties is not None
        return PairCounts(counts.wins[0], counts.ties[0])

    def to_game(
        self,
        prior: float = 1.0,
        pooling: float = 2.0,
        ties: Ties = "half",
        reference: ArrayLike | None = None,
        prompt_weights: ArrayLike | Literal["votes"] | None = None,
        only_seen: bool = False,
    ) -> PreferenceGame:
        """The preference game of smoothed win rates, one response per item.

        With W[x, y, z] votes for y against z on prompt x (a tie is half a vote for each), N = W + W' and
        sums over prompts without index x:

            m[y, z]    = (W[y, z] + prior) / (N[y, z] + 2 prior)
            P[x, y, z] = (W[x, y, z] + pooling * m[y, z] + prior) / (N[x, y, z] + pooling + 2 prior)

        so an estimate is 0 or 1 only if `prior` and `pooling` are 0. With one prompt P = m.

        Each pair is estimated from its own votes alone. Two items that were never compared get P = 1/2,
        whatever their results against the others, and may share an equilibrium for that reason.
        `pgames.estimate`, which the command line uses, follows a ranking where votes are few.

        Parameters
        ----------
        prior : pseudo-votes for either side of each pair, a Beta(prior, prior): 1 is Laplace's rule, 0 the
            raw frequencies (an error if a pair has no votes).
        pooling : the weight, in votes per prompt, of the estimate pooled over prompts; 0 keeps prompts apart.
        ties : "half" a vote for each side, or "drop" them.
        reference : float64[X, Y] or float64[Y]; uniform by default.
        prompt_weights : float64[X], "votes" for the share of votes of each prompt, or uniform by default.
        only_seen : put a response without votes on a prompt outside the game of that prompt (reference
            probability 0); otherwise it takes part, with an estimate from prior and pooling alone.

        Raises ValueError when an argument is out of its range, when prior = 0 and a pair in the game has no
        votes, when only_seen leaves a prompt without responses, or when the tables exceed the memory. Warns
        when they take more than 1 GiB.
        """
        if ties not in ("half", "drop"):
            raise ValueError(f'ties must be "half" or "drop", got {ties!r}.')
        check_bool("only_seen", only_seen)
        votes = NamedCounts(self.counts, self.items, self.prompts)
        check_memory(len(self.prompts), len(self.items))
        policy = reference_of(votes, reference, only_seen)
        P = smoothed(votes, policy > 0, prior, pooling, ties)
        if isinstance(prompt_weights, str):
            if prompt_weights != "votes":
                raise ValueError(
                    f'prompt_weights must be float64[X], "votes" or None, got {prompt_weights!r}.'
                )
            prompt_weights = np.bincount(self.prompt, minlength=len(self.prompts)) / len(self)
        return PreferenceGame(P, policy, prompt_weights, self.items)


def _merge(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """All names, and int32 places of `theirs` among them."""
    place = {name: i for i, name in enumerate(ours)}
    for name in theirs:
        place.setdefault(name, len(place))
    return tuple(place), np.array([place[name] for name in theirs], dtype=np.int32)
