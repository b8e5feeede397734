"""Compiled rules of dueling bandits that choose one pair a round from counts of wins: RUCB, double Thompson.

wins float64[S, X, Y, Y], pair int64[2, S, X]. `pair_rounds`, many rounds in one call, each policy charged,
gives the same bits as `choose_pairs` round by round.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.gaps import charge
from pgames.kernels.judging import coin_key, compare, run_key
from pgames.kernels.streams import uniform

RUCB_RULE, THOMPSON_RULE = 0, 1


@njit
def upper(wins, s, x, y, z, alpha, log_t):
    """The upper confidence bound of P(y > z): 1 for a pair never compared, 1/2 for y = z."""
    n = wins[s, x, y, z] + wins[s, x, z, y]
    if y == z:
        return 0.5
    return min(1.0, wins[s, x, y, z] / n + math.sqrt(alpha * log_t / n)) if n > 0.0 else 1.0


@njit
def pick(candidates, u):
    """The index of a True entry, uniformly at random by u in [0, 1); -1 if there is none."""
    left = int(u * candidates.sum())
    for y in range(candidates.size):
        if candidates[y]:
            if left == 0:
                return y
            left -= 1
    return -1


@njit
def rucb_pair(wins, s, x, inside, alpha, log_t, best, coins, among):
    """(champion, challenger) of RUCB; `best` int64[S, X], its hypothesised winner or -1, is updated."""
    Y = inside.shape[1]
    for y in range(Y):
        among[y] = inside[x, y]
        for z in range(Y):
            if among[y] and inside[x, z] and upper(wins, s, x, y, z, alpha, log_t) < 0.5:
                among[y] = False
    size = among.sum()
    if best[s, x] >= 0 and not among[best[s, x]]:
        best[s, x] = -1
    if size == 0:
        for y in range(Y):
            among[y] = inside[x, y]
        champion = pick(among, uniform(coins, 0))
    elif size == 1:
        champion = pick(among, 0.0)
        best[s, x] = champion
    elif best[s, x] >= 0 and uniform(coins, 1) < 0.5:
        champion = best[s, x]
    else:
        if best[s, x] >= 0:
            among[best[s, x]] = False
        champion = pick(among, uniform(coins, 0))
    top = -1.0
    for y in range(Y):
        if inside[x, y]:
            top = max(top, upper(wins, s, x, y, champion, alpha, log_t))
    for y in range(Y):
        tied = inside[x, y] and upper(wins, s, x, y, champion, alpha, log_t) == top
        among[y] = tied and y != champion
    challenger = pick(among, uniform(coins, 2))
    return champion, challenger if challenger >= 0 else champion


@njit
def gamma_draw(shape, coins, index):
    """(a Gamma(shape, 1) draw, next index), shape >= 1: Marsaglia and Tsang (2000)."""
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        radius = math.sqrt(-2.0 * math.log(1.0 - uniform(coins, index)))
        normal = radius * math.cos(2.0 * math.pi * uniform(coins, index + 1))
        u, v = 1.0 - uniform(coins, index + 2), (1.0 + c * normal) ** 3
        index += 3
        if v > 0.0 and math.log(u) < 0.5 * normal * normal + d - d * v + d * math.log(v):
            return d * v, index


@njit
def posterior_draw(wins, s, x, y, z, coins, index):
    """(a draw of P(y > z) from Beta(wins + 1, losses + 1), next index)."""
    won, index = gamma_draw(wins[s, x, y, z] + 1.0, coins, index)
    lost, index = gamma_draw(wins[s, x, z, y] + 1.0, coins, index)
    return won / (won + lost), index


@njit
def thompson_pair(wins, s, x, inside, alpha, log_t, coins, among, score):
    """(first, second) of double Thompson sampling. Draws that cannot change the choice are skipped."""
    Y, index, top = inside.shape[1], 2, -1.0
    for y in range(Y):
        score[y] = -1.0
        if inside[x, y]:
            score[y] = 0.0
            for z in range(Y):
                if inside[x, z] and upper(wins, s, x, y, z, alpha, log_t) > 0.5:
                    score[y] += 1.0
            top = max(top, score[y])
    for y in range(Y):
        among[y] = score[y] == top
        score[y] = 0.0
    if among.sum() > 1:
        for y in range(Y):
            for z in range(y):
                if inside[x, y] and inside[x, z] and (among[y] or among[z]):
                    theta, index = posterior_draw(wins, s, x, y, z, coins, index)
                    score[y] += 1.0 if theta > 0.5 else 0.0
                    score[z] += 1.0 if theta < 0.5 else 0.0
        top = -1.0
        for y in range(Y):
            if among[y]:
                top = max(top, score[y])
        for y in range(Y):
            among[y] = among[y] and score[y] == top
    first = pick(among, uniform(coins, 0))
    second, best = first, 0.5
    for y in range(Y):
        if inside[x, y] and y != first and upper(wins, s, x, first, y, alpha, log_t) >= 0.5:
            theta, index = posterior_draw(wins, s, x, y, first, coins, index)
            if theta > best:
                second, best = y, theta
    return first, second


@njit
def choose_pair(rule, wins, s, x, inside, alpha, t, best, coins, pair, policy, among, score):
    """Choose the pair of round t of one run and prompt; write it and its policy, half of each."""
    log_t = math.log(t + 1.0)
    if rule == RUCB_RULE:
        first, second = rucb_pair(wins, s, x, inside, alpha, log_t, best, coins, among)
    else:
        first, second = thompson_pair(wins, s, x, inside, alpha, log_t, coins, among, score)
    pair[0, s, x], pair[1, s, x] = first, second
    for y in range(inside.shape[1]):
        policy[s, x, y] = -np.inf
    policy[s, x, first] = policy[s, x, second] = 0.0 if first == second else math.log(0.5)


@njit
def choose_pairs(rule, wins, inside, alpha, t, best, coins):
    """(pair int64[2, S, X], policy float64[S, X, Y]) of round t; `best` is changed in place."""
    S, X, Y, _ = wins.shape
    pair, policy = np.empty((2, S, X), dtype=np.int64), np.empty((S, X, Y))
    among, score = np.empty(Y, dtype=np.bool_), np.empty(Y)
    for s in range(S):
        for x in range(X):
            choose_pair(rule, wins, s, x, inside, alpha, t, best, coins[s, x], pair, policy, among, score)
    return pair, policy


@njit
def pair_rounds(rule, wins, inside, alpha, best, pair, policy, seed, first_run, t, rounds, arrays):
    """`rounds` rounds of every run from round t, in place, each policy charged."""
    S, X, Y, _ = wins.shape
    among, score, skew = np.empty(Y, dtype=np.bool_), np.empty(Y), arrays.skew
    for now in range(t, t + rounds):
        charge(arrays, policy, 1.0)
        for s in range(S):
            for x in range(X):
                key, y, z = run_key(seed, first_run + s, x), pair[0, s, x], pair[1, s, x]
                won = compare(skew, x, y, z, key, now)
                wins[s, x, y, z] += won
                wins[s, x, z, y] += 1.0 - won
                coins = coin_key(key, now + 1)
                choose_pair(rule, wins, s, x, inside, alpha, now + 1, best, coins, pair, policy, among, score)
