"""Published bounds as functions, each with its source, its assumptions and its status.

bound = bounds.nash_md(tau=0.1)          # a Bound, as a function of the number of rounds
bound(rounds)                            # float64[R] for int[R]
bound.name, bound.quantity, bound.status, bound.source
"""

from pgames.bounds.bound import Bound
from pgames.bounds.convergence import average_iterate, egpo, inpo, mmd, nash_md, spin
from pgames.bounds.regret import (
    batch_threshold,
    enhancer_order,
    enpo,
    greedy_gap,
    greedy_order,
    inpo_average_order,
    kl_ucb_order,
    optimistic_gap,
    optimistic_oracle,
    oracle_rate,
    passive_lower,
)
from pgames.bounds.stability import (
    comal_rate,
    inpo_stable_step,
    mmd_stable_step,
    rotation,
    self_preference_growth,
    self_preference_threshold,
    smoothed_best_response_stable,
)

__all__ = [
    "Bound",
    "average_iterate",
    "batch_threshold",
    "comal_rate",
    "egpo",
    "enhancer_order",
    "enpo",
    "greedy_gap",
    "greedy_order",
    "inpo",
    "inpo_average_order",
    "inpo_stable_step",
    "kl_ucb_order",
    "mmd",
    "mmd_stable_step",
    "nash_md",
    "optimistic_gap",
    "optimistic_oracle",
    "oracle_rate",
    "passive_lower",
    "rotation",
    "self_preference_growth",
    "self_preference_threshold",
    "smoothed_best_response_stable",
    "spin",
]
