"""Run a traced solver in one kernel: many rounds of one block of runs, which stays in the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.kernels.blocks import (
    LANES,
    blend_block,
    exp_block,
    load,
    normalise_block,
    spread,
    store,
    tilt_block,
    width_of,
    win_rates_block,
)
from pgames.kernels.elementary import njit
from pgames.kernels.streams import sampled_rates_row, stream
from pgames.regularisers import KL
from pgames.solver import Solver, State, Weight
from pgames.table.arena import TableArena
from pgames.tracing.recording import Blend, Trace, policies, rebuilt, refuse, trace

CHUNK = 1024  # rounds per call; bounds the memory of weights that change with the round
JOIN, BLEND, STEP = 0, 1, 2  # JOIN is a BLEND with more terms to follow


def run_compiled(solver: Solver, arena: object, state: State, rounds: int) -> State:
    """The state after `rounds` more rounds, bit-identical to the state from `pgames.iterate`.

    Raises TypeError when the solver cannot be traced (`pgames.tableau`) or the arena is not a TableArena
    regularised by KL.
    """
    if type(arena) is not TableArena:
        raise TypeError(
            f"only a TableArena runs compiled, got {type(arena).__name__}: use run(..., compiled=False)."
        )
    if arena.regulariser != KL():
        raise TypeError(
            f"only an arena regularised by KL runs compiled, got {arena.regulariser.name}: use run(..., "
            "compiled=False)."
        )
    current = [state.policy, *policies(state.memory)]
    for start in range(state.t, state.t + rounds, CHUNK):
        times = np.arange(start, min(start + CHUNK, state.t + rounds))
        # at least two rounds: a branch on an array of one round would not be detected
        traced = trace(solver, np.arange(start, start + max(len(times), 2))[:, None], state.memory)
        code, weights = _encoded(solver, traced, arena.runs)
        moves = np.array(traced.outputs)
        registers = np.stack([arena.reference, *current])
        samples, skew = arena.samples or 0, arena.game.skew
        registers = _run(skew, registers, code, weights, moves, times, samples, arena.seed, arena.first_run)
        current = list(registers[1:])
    kept = iter(current[1:])
    return State(state.t + rounds, current[0], rebuilt(state.memory, lambda _: next(kept)))


def _encoded(solver: Solver, traced: Trace, runs: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Operations (kind, target, first, second, v, w) on registers, and weights float64[C, R or 1, S or 1].

    Raises ValueError for a weight that is not finite, or neither a number nor one per run.
    """
    weights: list[Weight] = [1.0, 0.0]
    code: list[tuple[int, int, int, int, int, int]] = []

    def number(weight: Weight) -> int:
        weights.append(weight)
        return len(weights) - 1

    for operation in traced.operations:
        if isinstance(operation, Blend):
            (v, first), *rest = operation.terms
            left, scale = first, number(v)
            for w, second in rest:
                code.append((JOIN, operation.target, left, second, scale, number(w)))
                left, scale = operation.target, 0
            if not rest:
                code.append((BLEND, operation.target, first, first, scale, 1))
            code[-1] = (BLEND, *code[-1][1:])
        else:
            target, prior, opponent, step = operation
            if np.isinf(step).any():
                refuse(solver, "takes an infinite step")
            code.append((STEP, target, prior, opponent, number(step), 1))
    tables = [np.atleast_2d(np.asarray(weight, dtype=np.float64)) for weight in weights]
    if not all(np.isfinite(table).all() for table in tables):
        raise ValueError(f"{type(solver).__name__}: a weight or a step must be finite.")
    try:
        shape = np.broadcast_shapes(*(table.shape for table in tables))
        np.broadcast_to(np.empty(shape[1]), runs)
    except ValueError:
        raise ValueError(
            f"{type(solver).__name__}: a weight must be a number or float64[{runs}], one per run."
        ) from None
    return np.array(code, dtype=np.int64).reshape(-1, 6), np.stack(
        [np.broadcast_to(table, shape) for table in tables]
    )


@njit
def copy(source, target, size):
    for i in range(size):
        target[i] = source[i]


@njit
def _run(skew, registers, code, weights, moves, times, samples, seed, first_run):
    """Registers float64[inputs, S, X, Y] after the rounds `times`."""
    inputs, S, X, Y = registers.shape
    out = np.empty_like(registers)
    constant = weights.shape[1] == 1
    size = Y * width_of(S)
    memory = np.empty((inputs + len(code), size))
    staged = np.empty((inputs, size))
    q, rates = np.empty(size), np.zeros(size)
    lanes = np.empty((len(weights), LANES))
    top, total = np.empty(LANES), np.empty(LANES)
    row, answer, cumulative = np.empty(Y), np.empty(Y), np.empty(Y)
    for x in range(X):
        s = 0
        while s < S:
            width = width_of(S - s)
            for i in range(inputs):
                load(registers[i], s, x, memory[i], width)
            for r in range(len(times)):
                if r == 0 or not constant:
                    for c in range(len(weights)):
                        spread(weights[c, 0 if constant else r], s, lanes[c], width)
                for o in range(len(code)):
                    kind, target = code[o, 0], memory[code[o, 1]]
                    first, second = memory[code[o, 2]], memory[code[o, 3]]
                    v, w = lanes[code[o, 4]], lanes[code[o, 5]]
                    if kind == STEP:
                        if samples > 0:
                            for lane in range(min(width, S - s)):
                                for y in range(Y):
                                    row[y] = second[y * width + lane]
                                key = stream(seed, first_run + s + lane, times[r], x, row)
                                sampled_rates_row(skew, x, row, samples, key, cumulative, answer)
                                for y in range(Y):
                                    rates[y * width + lane] = answer[y]
                        else:
                            exp_block(second, q, Y, width)
                            win_rates_block(skew, x, q, rates, width)
                        tilt_block(first, rates, v, target, Y, width)
                    else:
                        blend_block(v, first, w, second, target, Y, width)
                    if kind != JOIN:
                        normalise_block(target, Y, width, top, total)
                for i in range(inputs):  # an input may be replaced by another that changes too
                    if moves[i] < inputs:
                        copy(memory[moves[i]], staged[i], Y * width)
                for i in range(inputs):
                    copy(staged[i] if moves[i] < inputs else memory[moves[i]], memory[i], Y * width)
            for i in range(inputs):
                store(memory[i], out[i], s, x, width)
            s += width
    return out
