"""Compiled: who won each row of named votes, and which rows are not votes."""

from __future__ import annotations

from pgames.kernels.elementary import njit

UNKNOWN = 2  # the outcome of a winner that is not a word
FAULT = 10  # a row that is not a vote gets winner FAULT + the number of its fault
NO_LEFT, NO_RIGHT, NO_WINNER, NO_PROMPT, ITSELF, NEITHER = range(FAULT, FAULT + 6)


@njit
def look_up(codes, table, out):
    """out[n] = table[codes[n]] for int32[N] codes."""
    for n in range(codes.size):
        out[n] = table[codes[n]]


@njit
def settle(left, right, won, prompt, tables, winner, seen):
    """Settle votes given by numbers of names, and return how many are faults.

    left, right, prompt : int32[N] numbers of names, -1 for none, replaced by their sorted places (0 for a row
    that is not a vote). won : numbers of winners, -1 for none. winner : int8[N], set to 1, 0, -1 or a
    fault; it may be `won` itself.
    tables : (places of items, outcome of each winner as a word: 1, 0, -1 or UNKNOWN, the system of that word,
    the number of the item of that name or -1, places of prompts). An item that is named has won, whatever
    the word means. Without prompts the last is empty and `prompt` is not read.
    seen : int64[2, systems of words], to which are added rows where name and word differ, and rows that use
    a word alone. A row with an unknown winner gets the number of that winner in place of its prompt.
    """
    place, outcome, system, named, prompt_place = tables
    faults = 0
    for n in range(left.size):
        i, j, w = left[n], right[n], won[n]
        x = prompt[n] if prompt_place.size else 0
        left[n] = place[max(i, 0)]
        right[n] = place[max(j, 0)]
        if prompt_place.size:
            prompt[n] = prompt_place[max(x, 0)]
        if i < 0:
            result = NO_LEFT
        elif j < 0:
            result = NO_RIGHT
        elif w < 0:
            result = NO_WINNER
        elif x < 0:
            result = NO_PROMPT
        elif i == j:
            result = ITSELF
        elif named[w] == i or named[w] == j:
            result = 1 if named[w] == i else -1
            seen[0, system[w]] += outcome[w] != UNKNOWN and outcome[w] != result
        elif outcome[w] == UNKNOWN:
            result = NEITHER
            prompt[n] = w
        else:
            result = int(outcome[w])
            seen[1, system[w]] += 1
        winner[n] = result
        faults += result >= FAULT
    return faults
