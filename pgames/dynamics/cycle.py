"""Where the rounds of a solver end: at a point, on a limit cycle, at the boundary, or nowhere yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ending = Literal["point", "cycle", "boundary", "moving"]

STILL = 1e-6  # total variation: a tail that moves less has come to rest
SAME = 0.05  # two halves of a tail whose amplitudes differ by less repeat themselves
LOWEST = 1e-9  # a response of the fixed point that falls below this is at the boundary
FEWEST = 4  # rounds of a tail of which anything can be said


@dataclass(frozen=True)
class Tail:
    """The second half of a run from near the reference.

    ending : "point" (it rests), "cycle" (it repeats itself), "boundary" (a response of the fixed point
        vanishes) or "moving" (none of these within the rounds: more rounds decide).
    amplitude : the largest total variation between the tail and its mean.
    period : rounds of the strongest oscillation; None at a point.
    """

    ending: Ending
    amplitude: float
    period: float | None


def tail_of(policies: Array, fixed: Array) -> Tail:
    """The ending of policies float64[T, X, Y], the second half of a run; `fixed` float64[X, Y]."""
    if len(policies) < FEWEST:
        return Tail("moving", _amplitude(policies), None)
    half = len(policies) // 2
    spread = [_amplitude(part) for part in (policies[:half], policies[half:])]
    period = _period(policies)
    played = fixed > LOWEST
    if np.where(played, policies[half:], 1.0).min() < LOWEST:
        return Tail("boundary", spread[1], period)
    if spread[1] < STILL:
        return Tail("point", spread[1], None)
    lowest = [float(np.log(np.where(played, part, 1.0).min())) for part in (policies[:half], policies[half:])]
    repeats = abs(spread[0] - spread[1]) < SAME * spread[1] and abs(lowest[0] - lowest[1]) < SAME
    if period is not None and repeats and 4 * period < len(policies):
        return Tail("cycle", spread[1], period)
    return Tail("moving", spread[1], period)


def _amplitude(policies: Array) -> float:
    away = np.abs(policies - policies.mean(axis=0)).sum(axis=-1) / 2
    return float(away.max())


def _period(policies: Array) -> float | None:
    """The period of the strongest frequency, between two bins by a parabola through its neighbours."""
    series = policies.reshape(len(policies), -1) - policies.reshape(len(policies), -1).mean(axis=0)
    window = np.hanning(len(series))[:, None]
    power = (np.abs(np.fft.rfft(series * window, axis=0)) ** 2).sum(axis=1)
    if len(power) < 4 or not power[1:].max() > 0:
        return None
    k = int(np.argmax(power[1:-1])) + 1
    left, middle, right = np.log(power[k - 1 : k + 2] + 1e-300)
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(len(series) / (k + shift))
