"""Compiled: who won each row of named votes, and which rows are no votes."""

from __future__ import annotations

from pgames.kernels.elementary import njit

UNKNOWN = 2  # the outcome of a winner that is no word
FAULT = 10  # a row that is no vote gets winner FAULT + the number of its fault
NO_LEFT, NO_RIGHT, NO_WINNER, NO_PROMPT, ITSELF, NEITHER = range(FAULT, FAULT + 6)


@njit
def settle(codes, meaning, out, seen):
    """Settle a piece of votes into `out` = (left, right, winner, prompt); returns the number of faults.

    codes : (left, right, winner, prompt), int32[N] each; the last may be empty.
    meaning : the arrays that codes look up. (place of the left item, of the right one, number of the winner,
    its outcome 1, 0, -1 or UNKNOWN as a word, the system of that word, the place of the item of its name,
    place of the prompt); -1 stands for none. An item that is named has won, whatever the word means.
    seen : int64[2, systems], to which are added rows where name and word differ, and rows that use a word
    alone. A row with an unknown winner gets the number of that winner in place of its prompt.
    """
    left, right, won, prompt = codes
    left_place, right_place, number, outcome, system, named, prompt_place = meaning
    i_out, j_out, w_out, x_out = out
    faults = 0
    for n in range(left.size):
        i, j, w = left_place[left[n]], right_place[right[n]], won[n]
        x = prompt_place[prompt[n]] if prompt.size else 0
        i_out[n] = max(i, 0)
        j_out[n] = max(j, 0)
        if prompt.size:
            x_out[n] = max(x, 0)
        if i < 0:
            result = NO_LEFT
        elif j < 0:
            result = NO_RIGHT
        elif number[w] < 0:
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
            x_out[n] = number[w]
        else:
            result = int(outcome[w])
            seen[1, system[w]] += 1
        w_out[n] = result
        faults += result >= FAULT
    return faults
