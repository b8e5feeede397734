"""Votes that stand twice: repeated stretches of rows, and annotators who answer the same question again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.audits.board import Board
from pgames.audits.finding import LEVEL, Finding

SHUFFLES = 40
CHANCE = LEVEL / 10  # that a stretch of rows of a clean board occurs again
LONGEST = 512  # rows of a stretch
MOST_COPIES = 5  # of a row that are looked for
BASE = np.uint64(0x9E3779B97F4A7C15)


def duplicates(board: Board) -> Finding:
    """Stretches of rows that occur twice, and repeated answers of an annotator beyond those by chance."""
    probe = "duplicates"
    rows, lag = _repeated_rows(board)
    if rows:
        return Finding(
            probe,
            True,
            None,
            f"{rows:,} rows repeat the rows {lag:,} before them, outcome by outcome: the file holds votes "
            "twice; drop one copy.",
            (("rows", float(rows)),),
            "rows",
        )
    if times := _repeated_in_place(board):
        return Finding(
            probe,
            True,
            None,
            f"every row stands {times} times, one after the other: keep one of each.",
            (("times", float(times)),),
            "copies of a row",
        )
    again, expected, p = _repeated_answers(board)
    if p is None:
        return Finding(probe, False, None, "no stretch of rows occurs twice.")
    fires = p < LEVEL
    line = (
        f"{again:,} times an annotator answers the same question again, where chance gives {expected:.1f}: "
        "keep one answer each."
        if fires
        else f"no stretch of rows occurs twice; {again:,} repeated answers, {expected:.1f} by chance."
    )
    return Finding(probe, fires, p, line, (("repeated answers", float(again)),), "pairs of rows")


def _repeated_in_place(board: Board) -> int:
    """How many times every row stands, one after the other; 0 where it does not.

    Rows change only at every k-th place. In a file without copies a change is as likely at any place, sorted
    or not, so d changes all fall there with a probability of k (1/k)^d.
    """
    row = _rows(board)
    changes = np.flatnonzero(row[1:] != row[:-1]) + 1
    for k in range(2, MOST_COPIES + 1):
        if len(row) % k == 0 and not (changes % k).any() and np.log(k) * (len(changes) - 1) > -np.log(CHANCE):
            return k
    return 0


def _rows(board: Board) -> NDArray[np.int64]:
    """int64[N]: the number of each row's items, sides, outcome, prompt and annotator; equal rows share it."""
    votes = board.votes
    columns = [votes.left, votes.right, votes.winner, votes.prompt]
    columns += [] if board.annotator is None else [board.annotator]
    key = np.zeros(len(votes), dtype=np.int64)
    for column in columns:
        place = np.unique(column, return_inverse=True)[1].astype(np.int64)
        key = np.unique(key * (place.max() + 1) + place, return_inverse=True)[1].astype(np.int64)
    return key


def _repeated_rows(board: Board) -> tuple[int, int]:
    """(rows in stretches that occurred before, the commonest distance); (0, 0) where there are none.

    The probability that a row's outcome repeats, given its items and their sides, bounds what chance does: a
    file may be sorted, or follow a schedule. A stretch counts if chance makes one like it somewhere in the
    file with probability CHANCE.
    """
    votes = board.votes
    n, items = len(votes), len(votes.items)
    pair = np.unique(votes.left.astype(np.int64) * items + votes.right, return_inverse=True)[1]
    counts = np.stack([np.bincount(pair, votes.winner == side) for side in (-1, 0, 1)], axis=1) + 0.5
    share = counts / counts.sum(axis=1, keepdims=True)
    surprise = -np.log((share**2).sum(axis=1))[pair]  # of a repeated outcome
    needed = 2 * np.log(max(n, 2)) - np.log(2 * CHANCE)
    width = int(np.ceil(1.5 * needed / float(surprise.mean())))
    if width > min(LONGEST, n // 2):
        return 0, 0
    token = (pair * 3 + votes.winner + 1) * np.int64(len(votes.prompts)) + votes.prompt
    codes = [np.unique(token, return_inverse=True)[1]]
    if board.annotator is not None:
        codes.append(board.annotator)
    row = codes[0] if len(codes) == 1 else np.unique(np.stack(codes), axis=1, return_inverse=True)[1].ravel()
    stretch = _hashes(row.astype(np.uint64), width)
    total = np.concatenate([[0.0], np.cumsum(surprise)])
    telling = total[width:] - total[:-width] >= needed
    first = np.unique(stretch, return_index=True, return_inverse=True)
    source = first[1][first[2]]  # the first place with the same hash
    place = np.arange(len(stretch))
    again = np.flatnonzero((place - source >= width) & telling)
    if not len(again):
        return 0, 0
    covered = np.zeros(n + 1, dtype=np.int64)
    np.add.at(covered, again, 1)
    np.add.at(covered, again + width, -1)
    distance = again - source[again]
    return int((np.cumsum(covered)[:n] > 0).sum()), int(np.bincount(distance).argmax())


def _hashes(row: NDArray[np.uint64], width: int) -> NDArray[np.uint64]:
    """uint64[N - width + 1]: a hash of every stretch of `width` rows."""
    with np.errstate(over="ignore"):
        mixed = (row + np.uint64(1)) * BASE
        mixed ^= mixed >> np.uint64(29)
        out = np.zeros(len(row) - width + 1, dtype=np.uint64)
        for k in range(width):
            out = out * BASE + mixed[k : k + len(out)]
    return out


def _repeated_answers(board: Board) -> tuple[int, float, float | None]:
    """(pairs of rows with one annotator, prompt, pair and time; those by chance; the probability of as many).

    Chance is what shuffled annotators and times make. The probability is None without these columns.
    """
    votes = board.votes
    if board.annotator is None and board.time is None:
        return 0, 0.0, None
    low, high = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    question = np.unique(
        (votes.prompt.astype(np.int64) * len(votes.items) + low) * len(votes.items) + high,
        return_inverse=True,
    )[1]
    columns = [] if board.annotator is None else [board.annotator]
    if board.time is not None:
        columns.append(np.unique(board.time, return_inverse=True)[1])

    def pairs(columns: list[NDArray]) -> float:
        key = question.astype(np.int64)
        for column in columns:
            key = np.unique(key, return_inverse=True)[1] * np.int64(column.max() + 1) + column
        each = np.unique(key, return_counts=True)[1].astype(float)
        return float((each * (each - 1)).sum() / 2)

    seen, rng = pairs(columns), np.random.default_rng([board.seed, 14])
    made = np.array([pairs([rng.permutation(one) for one in columns]) for _ in range(SHUFFLES)])
    from scipy.stats import norm, poisson

    mean, spread = float(made.mean()), max(float(made.std(ddof=1)), np.sqrt(made.mean()), 1e-9)
    p = poisson.sf(seen - 1, mean + 1 / SHUFFLES) if mean < 5 else norm.sf((seen - mean) / spread)
    return int(seen), mean, float(p)
