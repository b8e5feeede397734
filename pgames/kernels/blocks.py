"""The arithmetic of the verbs on log-probabilities float64[S, X, Y]: serial compiled loops.

Runs are never mixed, and no result depends on how many runs are computed together: the first
20 of 40 runs are bit-identical to 20 runs. -inf marks a response outside the game.

A block holds one prompt's rows of `width` runs, response by response: entry (y, l) of run l is at
y * width + l. `width` is 1 (one row) or LANES (rows side by side, so that every loop is vectorised for any
Y). Both add the terms of a run in the same order, hence the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.kernels.elementary import exp, fma, log, njit, opaque

LANES = 32
FEW = 8  # fewer runs than this are computed row by row
U = np.uint64  # unsigned indices: a test for negative ones would prevent vectorisation
N1, N2, N3, N4 = U(LANES), U(2 * LANES), U(3 * LANES), U(4 * LANES)


@njit
def width_of(runs):
    """The width of the next block when `runs` runs are left."""
    return LANES if runs >= FEW else 1


@njit
def load(policy, s, x, block, width):
    """Read runs s, s + 1, ... of prompt x into a block; lanes without a run repeat the last one."""
    S, _, Y = policy.shape
    if width == 1:
        for y in range(Y):
            block[y] = policy[s, x, y]
    else:
        for lane in range(LANES):
            run = min(s + lane, S - 1)
            for y in range(Y):
                block[y * LANES + lane] = policy[run, x, y]


@njit
def store(block, policy, s, x, width):
    """Write a block to runs s, s + 1, ... of prompt x."""
    S, _, Y = policy.shape
    if width == 1:
        for y in range(Y):
            policy[s, x, y] = block[y]
    else:
        for lane in range(min(LANES, S - s)):
            for y in range(Y):
                policy[s + lane, x, y] = block[y * LANES + lane]


@njit
def spread(values, s, lanes, width):
    """Read float64[S] (or float64[1], one for all) of runs s, s + 1, ... into `lanes`."""
    for lane in range(width):
        lanes[lane] = values[min(s + lane, values.size - 1)]


@njit
def exp_block(logs, out, Y, width):
    for i in range(Y * width):
        out[i] = exp(logs[i])


@njit
def larger(a, b):
    """max(a, b) without the cost of handling NaN."""
    return a if a > b else b


@njit
def rounded_off(large, small, total):
    """The rounding error of total = large + small; 0 for |large| <= 1000, where it is below 1e-13."""
    return small - (total - large) if abs(large) > 1000.0 else 0.0


@njit
def normalise_block(block, Y, width, top, total):
    """Subtract the logsumexp of each run, in place; `top` and `total` are scratch float64[LANES]."""
    if width == 1:
        highest = -np.inf
        for y in range(Y):
            highest = larger(block[y], highest)
        mass = 0.0
        for y in range(Y):
            mass += exp(block[y] - highest)
        shift = highest + log(mass)
        lost = rounded_off(highest, log(mass), shift)
        for y in range(Y):
            block[y] = (block[y] - shift) - lost
        return
    lanes, whole = opaque(N1), Y - Y % 4
    for lane in range(lanes):
        top[lane] = -np.inf
        total[lane] = 0.0
    for y in range(0, whole, 4):
        i = U(y) * N1
        for lane in range(lanes):
            b0, b1, b2, b3 = block[i + lane], block[i + N1 + lane], block[i + N2 + lane], block[i + N3 + lane]
            top[lane] = larger(larger(larger(b0, b1), larger(b2, b3)), top[lane])
    for y in range(whole, Y):
        i = U(y) * N1
        for lane in range(lanes):
            top[lane] = larger(block[i + lane], top[lane])
    for y in range(Y):
        i = U(y) * N1
        for lane in range(lanes):
            total[lane] += exp(block[i + lane] - top[lane])
    for lane in range(lanes):
        highest, rest = top[lane], log(total[lane])
        top[lane] = highest + rest
        total[lane] = rounded_off(highest, rest, top[lane])
    for y in range(Y):
        i = U(y) * N1
        for lane in range(lanes):
            block[i + lane] = (block[i + lane] - top[lane]) - total[lane]


@njit
def win_rates_block(skew, x, q, out, width):
    """out = 1/2 + skew[x] @ q, each entry summed over the opponent's responses in order."""
    Y = skew.shape[1]
    for i in range(Y * width):
        out[i] = 0.5
    if width == 1:
        _add_row_by_row(skew, x, q, out)
    else:
        _add_lane_by_lane(skew, x, q, out)


@njit
def _add_row_by_row(skew, x, q, out):
    """Read the contiguous rows skew[x, z] = -skew[x, :, z], eight at a time."""
    Y = skew.shape[1]
    whole = Y - Y % 8
    for z in range(0, whole, 8):
        q0, q1, q2, q3 = -q[z], -q[z + 1], -q[z + 2], -q[z + 3]
        q4, q5, q6, q7 = -q[z + 4], -q[z + 5], -q[z + 6], -q[z + 7]
        for y in range(Y):
            v = fma(q1, skew[x, z + 1, y], fma(q0, skew[x, z, y], out[y]))
            v = fma(q3, skew[x, z + 3, y], fma(q2, skew[x, z + 2, y], v))
            v = fma(q5, skew[x, z + 5, y], fma(q4, skew[x, z + 4, y], v))
            out[y] = fma(q7, skew[x, z + 7, y], fma(q6, skew[x, z + 6, y], v))
    for z in range(whole, Y):
        q0 = -q[z]
        for y in range(Y):
            out[y] = fma(q0, skew[x, z, y], out[y])


@njit
def _add_lane_by_lane(skew, x, q, out):
    """A matrix product in tiles of 4 responses x 4 opponent's responses x LANES runs."""
    Y = skew.shape[1]
    whole = Y - Y % 4
    for y in range(0, whole, 4):
        o0 = U(y) * N1
        o1, o2, o3 = o0 + N1, o0 + N2, o0 + N3
        for z in range(0, whole, 4):
            a00, a01, a02, a03 = skew[x, y, z], skew[x, y, z + 1], skew[x, y, z + 2], skew[x, y, z + 3]
            y1, y2, y3 = y + 1, y + 2, y + 3
            a10, a11, a12, a13 = skew[x, y1, z], skew[x, y1, z + 1], skew[x, y1, z + 2], skew[x, y1, z + 3]
            a20, a21, a22, a23 = skew[x, y2, z], skew[x, y2, z + 1], skew[x, y2, z + 2], skew[x, y2, z + 3]
            a30, a31, a32, a33 = skew[x, y3, z], skew[x, y3, z + 1], skew[x, y3, z + 2], skew[x, y3, z + 3]
            i = U(z) * N1
            for n in range(N1):
                q0, q1, q2, q3 = q[i + n], q[i + N1 + n], q[i + N2 + n], q[i + N3 + n]
                out[o0 + n] = fma(a03, q3, fma(a02, q2, fma(a01, q1, fma(a00, q0, out[o0 + n]))))
                out[o1 + n] = fma(a13, q3, fma(a12, q2, fma(a11, q1, fma(a10, q0, out[o1 + n]))))
                out[o2 + n] = fma(a23, q3, fma(a22, q2, fma(a21, q1, fma(a20, q0, out[o2 + n]))))
                out[o3 + n] = fma(a33, q3, fma(a32, q2, fma(a31, q1, fma(a30, q0, out[o3 + n]))))
        for z in range(whole, Y):
            a0, a1, a2, a3 = skew[x, y, z], skew[x, y + 1, z], skew[x, y + 2, z], skew[x, y + 3, z]
            i = U(z) * N1
            for n in range(N1):
                out[o0 + n] = fma(a0, q[i + n], out[o0 + n])
                out[o1 + n] = fma(a1, q[i + n], out[o1 + n])
                out[o2 + n] = fma(a2, q[i + n], out[o2 + n])
                out[o3 + n] = fma(a3, q[i + n], out[o3 + n])
    for y in range(whole, Y):
        o0 = U(y) * N1
        for z in range(0, whole, 4):
            a0, a1, a2, a3 = skew[x, y, z], skew[x, y, z + 1], skew[x, y, z + 2], skew[x, y, z + 3]
            i = U(z) * N1
            for n in range(N1):
                v = fma(a1, q[i + N1 + n], fma(a0, q[i + n], out[o0 + n]))
                out[o0 + n] = fma(a3, q[i + N3 + n], fma(a2, q[i + N2 + n], v))
        for z in range(whole, Y):
            a0, i = skew[x, y, z], U(z) * N1
            for n in range(N1):
                out[o0 + n] = fma(a0, q[i + n], out[o0 + n])


@njit
def tilt_block(prior, score, step, out, Y, width):
    """prior + step * score, not normalised; `step` float64[width]."""
    if width == 1:
        for y in range(Y):
            out[y] = fma(step[0], score[y], prior[y])
        return
    lanes = opaque(N1)
    for y in range(Y):
        row = U(y) * N1
        for lane in range(lanes):
            out[row + lane] = fma(step[lane], score[row + lane], prior[row + lane])


@njit
def power(weight, value):
    """log of exp(value) ** weight: 0 at weight 0, -inf where value is -inf, for either sign of weight."""
    product = -np.inf if value == -np.inf else weight * value
    return 0.0 if weight == 0.0 else product


@njit
def blend_block(v, first, w, second, out, Y, width):
    """v * first + w * second, not normalised; `v`, `w` float64[width]. out may be first or second."""
    if width == 1:
        for y in range(Y):
            out[y] = power(v[0], first[y]) + power(w[0], second[y])
        return
    lanes = opaque(N1)
    for y in range(Y):
        row = U(y) * N1
        for lane in range(lanes):
            out[row + lane] = power(v[lane], first[row + lane]) + power(w[lane], second[row + lane])


@njit
def blend(v, first, w, second, last):
    """exp(first) ** v * exp(second) ** w, normalised when `last`; `v`, `w` float64[S] or float64[1]."""
    S, X, Y = first.shape
    out = np.empty((S, X, Y))
    top, total, v_lanes, w_lanes = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    one, two = np.empty(Y * width_of(S)), np.empty(Y * width_of(S))
    for x in range(X):
        s = 0
        while s < S:
            width = width_of(S - s)
            load(first, s, x, one, width)
            load(second, s, x, two, width)
            spread(v, s, v_lanes, width)
            spread(w, s, w_lanes, width)
            blend_block(v_lanes, one, w_lanes, two, one, Y, width)
            if last:
                normalise_block(one, Y, width, top, total)
            store(one, out, s, x, width)
            s += width
    return out


def normalise(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities float64[S, X, Y] from unnormalised ones."""
    return blend(np.ones(1), logs, np.zeros(1), logs, True)


@njit
def win_rates(skew, opponent):
    """P(y > opponent), float64[S, X, Y], for log-probabilities `opponent` float64[S, X, Y]."""
    S, X, Y = opponent.shape
    out = np.empty((S, X, Y))
    q, rates = np.empty(Y * width_of(S)), np.empty(Y * width_of(S))
    for x in range(X):
        s = 0
        while s < S:
            width = width_of(S - s)
            load(opponent, s, x, q, width)
            exp_block(q, q, Y, width)
            win_rates_block(skew, x, q, rates, width)
            store(rates, out, s, x, width)
            s += width
    return out


@njit
def tilt(prior, score, step):
    """prior * exp(step * score), normalised; `step` float64[S] or float64[1]."""
    S, X, Y = prior.shape
    out = np.empty((S, X, Y))
    top, total, steps = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    block, gain = np.empty(Y * width_of(S)), np.empty(Y * width_of(S))
    for x in range(X):
        s = 0
        while s < S:
            width = width_of(S - s)
            load(prior, s, x, block, width)
            load(score, s, x, gain, width)
            spread(step, s, steps, width)
            tilt_block(block, gain, steps, block, Y, width)
            normalise_block(block, Y, width, top, total)
            store(block, out, s, x, width)
            s += width
    return out


@njit
def mirror_step(skew, prior, opponent, step):
    """prior * exp(step * win rate against opponent), normalised; `step` float64[S] or float64[1]."""
    S, X, Y = prior.shape
    out = np.empty((S, X, Y))
    top, total, steps = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    block, rates = np.empty(Y * width_of(S)), np.empty(Y * width_of(S))
    for x in range(X):
        s = 0
        while s < S:
            width = width_of(S - s)
            load(opponent, s, x, block, width)
            exp_block(block, block, Y, width)
            win_rates_block(skew, x, block, rates, width)
            load(prior, s, x, block, width)
            spread(step, s, steps, width)
            tilt_block(block, rates, steps, block, Y, width)
            normalise_block(block, Y, width, top, total)
            store(block, out, s, x, width)
            s += width
    return out


@njit
def mix(v, first, w, second):
    """log of v * exp(first) + w * exp(second); `v`, `w` float64[S] or float64[1], at least 0."""
    S, X, Y = first.shape
    out = np.empty((S, X, Y))
    for s in range(S):
        ours, theirs = v[min(s, v.size - 1)], w[min(s, w.size - 1)]
        for x in range(X):
            for y in range(Y):
                a = first[s, x, y] if ours > 0.0 else -np.inf
                b = second[s, x, y] if theirs > 0.0 else -np.inf
                top = max(a, b)
                mixed = top + log(ours * exp(a - top) + theirs * exp(b - top))
                out[s, x, y] = -np.inf if top == -np.inf else mixed
    return out
