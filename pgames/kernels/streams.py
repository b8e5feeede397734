"""Random streams that are a function of (seed, run, round, prompt, policy), and the duels drawn from them.

All compiled randomness starts from `mix64` and one of the constants below, which are defined only here:

- WORDS are mixed in with the run, the round and the prompt, by `stream` and by `pgames.kernels.judging`;
- TAGS distinguish the questions about one policy in one round.

Other rooms seed a NumPy generator with a list that begins with the seed, for example [seed, k] and
[seed, k, 1] for resample k of votes. The roles of text are listed in `llm_backend.context`.
"""

from __future__ import annotations

import numpy as np

from pgames.kernels.elementary import exp, njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the step of splitmix64, also mixed in with the seed
RUN, ROUND = np.uint64(0xD1B54A32D192ED03), np.uint64(0x8CB92BA72F3D8DD7)
PROMPT = np.uint64(0xABC98388FB8FAC03)
NAMED_RUN, NAMED_ROUND = np.uint64(0xA24BAED4963EE407), np.uint64(0x9FB21C651E98DF25)
WORDS = (GOLDEN, RUN, ROUND, PROMPT, NAMED_RUN, NAMED_ROUND)

# tags of `tagged`; sampled win rates and duels have no tag
THIRD_LABELS = np.uint64(1)  # labels of buffered pairs against draws of an opponent
SELF_LABELS = np.uint64(2)  # labels of duels of a policy with itself
CALIBRATION = np.uint64(3)  # responses drawn to be counted
TAGS = (THIRD_LABELS, SELF_LABELS, CALIBRATION)

# for dueling bandits, which name the responses compared: even and odd offsets from a run's key
COIN = 0  # a learner's own randomness
VERDICT = 1  # the judge's answer


@njit
def mix64(z):
    """The finaliser of splitmix64: one well-mixed 64-bit word from another."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit
def uniform(key, index):
    """Number `index` of the stream `key`, uniform in [0, 1)."""
    word = mix64(key + (np.uint64(index) + np.uint64(1)) * GOLDEN)
    return np.int64(word >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit
def stream(seed, run, t, x, row):
    """The key of the stream of one run, round, prompt and policy `row`.

    Mixing in the policy makes two questions of one round independent without a hidden counter.
    """
    bits = row.view(np.uint64)
    key = mix64(np.uint64(seed) + GOLDEN)
    key = mix64(key ^ mix64(np.uint64(run) + RUN))
    key = mix64(key ^ mix64(np.uint64(t) + ROUND))
    key = mix64(key ^ mix64(np.uint64(x) + PROMPT))
    for y in range(bits.size):
        key = mix64(key ^ bits[y])
    return key


@njit
def tagged(seed, run, t, x, row, tag):
    """The key of the question `tag`, one of TAGS, about the policy `row` float64[Y]."""
    return mix64(stream(seed, run, t, x, row) + tag)


@njit
def accumulate(row, cumulative):
    """Write the cumulative probabilities of log-probabilities `row` to `cumulative`."""
    for y in range(row.size):
        cumulative[y] = exp(row[y])
    for y in range(1, row.size):
        cumulative[y] += cumulative[y - 1]


@njit
def draw(cumulative, u):
    """The first index whose cumulative probability exceeds u times the total."""
    return min(np.searchsorted(cumulative, u * cumulative[-1], side="right"), cumulative.size - 1)


@njit
def sampled_rates_row(skew, x, row, samples, key, cumulative, out):
    """The win rate of each response, in one duel with each of `samples` draws of `row`."""
    Y = row.size
    accumulate(row, cumulative)
    for y in range(Y):
        out[y] = 0.0
    index = np.uint64(0)
    for _ in range(samples):
        z = draw(cumulative, uniform(key, index))
        index += np.uint64(1)
        for y in range(Y):  # P[y, z] is 1/2 - skew[z, y]
            out[y] += 1.0 if uniform(key, index + np.uint64(y)) < 0.5 - skew[x, z, y] else 0.0
        index += np.uint64(Y)
    for y in range(Y):
        out[y] /= samples


@njit
def sampled_win_rates(skew, opponent, samples, seed, first_run, t):
    """The win rates of `blocks.win_rates`, each estimated by the mean of `samples` duels."""
    S, X, Y = opponent.shape
    out, row, cumulative = np.empty((S, X, Y)), np.empty(Y), np.empty(Y)
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                row[y] = opponent[s, x, y]
            key = stream(seed, first_run + s, t, x, row)
            sampled_rates_row(skew, x, row, samples, key, cumulative, out[s, x])
    return out


@njit
def duel_stream(seed, run, t, x, first, second):
    """The key of the duels between two policies."""
    return stream(seed, run, t, x, first) ^ mix64(stream(seed, run, t, x, second))


@njit
def duel(skew, x, ours, theirs, key, i):
    """Duel number i of a stream: (response of ours, response of theirs, 1.0 if ours won else 0.0)."""
    y = draw(ours, uniform(key, 3 * i))
    z = draw(theirs, uniform(key, 3 * i + 1))
    return y, z, 1.0 if uniform(key, 3 * i + 2) < 0.5 + skew[x, y, z] else 0.0


@njit
def sampled_duels(skew, first, second, samples, seed, first_run, t):
    """Wins float64[S, X, Y, Y] of `samples` duels per run and prompt between a draw of each policy."""
    S, X, Y = first.shape
    wins, ours, theirs = np.zeros((S, X, Y, Y)), np.empty(Y), np.empty(Y)
    for s in range(S):
        for x in range(X):
            key = duel_stream(seed, first_run + s, t, x, first[s, x].copy(), second[s, x].copy())
            accumulate(first[s, x], ours)
            accumulate(second[s, x], theirs)
            for i in range(samples):
                y, z, won = duel(skew, x, ours, theirs, key, i)
                wins[s, x, y, z] += won
                wins[s, x, z, y] += 1.0 - won
    return wins


@njit
def sampled_win_rate(skew, first, second, samples, seed, first_run, t):
    """Share of `samples` duels that a draw of `first` wins against one of `second`, float64[S, X]."""
    S, X, Y = first.shape
    out, ours, theirs = np.zeros((S, X)), np.empty(Y), np.empty(Y)
    for s in range(S):
        for x in range(X):
            key = duel_stream(seed, first_run + s, t, x, first[s, x].copy(), second[s, x].copy())
            accumulate(first[s, x], ours)
            accumulate(second[s, x], theirs)
            for i in range(samples):
                out[s, x] += duel(skew, x, ours, theirs, key, i)[2]
            out[s, x] /= samples
    return out
