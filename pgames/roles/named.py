"""Named games of two roles, for examples, tests and the command line."""

from __future__ import annotations

import numpy as np

from pgames.games.building import check_at_least
from pgames.roles.matrix import MatrixRoles
from pgames.roles.prompts import PromptRoles


def random_roles(attacks: int = 6, defences: int = 5, seed: int = 0) -> MatrixRoles:
    """Success rates uniform on [0, 1], `default_rng(seed).random((attacks, defences))`."""
    check_at_least(1, "attacks", attacks)
    check_at_least(1, "defences", defences)
    check_at_least(0, "seed", seed)
    return MatrixRoles(np.random.default_rng(seed).random((attacks, defences)))


def random_prompts(prompts: int = 6, answers: int = 4, seed: int = 0) -> PromptRoles:
    """Success rates uniform on [0, 1], `default_rng(seed).random((prompts, answers))`."""
    check_at_least(1, "prompts", prompts)
    check_at_least(1, "answers", answers)
    check_at_least(0, "seed", seed)
    return PromptRoles(np.random.default_rng(seed).random((prompts, answers)))


def guards(doors: int = 3) -> MatrixRoles:
    """An attack at a door succeeds unless the guard is there: both play uniformly, value 1 - 1 / doors."""
    check_at_least(1, "doors", doors)
    names = [f"door {i}" for i in range(doors)]
    return MatrixRoles(1 - np.eye(doors), attacks=names, defences=names)


def penalty_kicks() -> MatrixRoles:
    """Goals in 1417 penalty kicks (Palacios-Huerta 2003), by the kicker's side and the goalkeeper's.

    The equilibrium kicks left 38.54 % and dives left 41.99 % of the time; players did so 39.98 % and 42.31 %.
    """
    goals = [[0.5830, 0.9497], [0.9291, 0.6992]]
    return MatrixRoles(goals, attacks=["left", "right"], defences=["left", "right"])
