"""Checks of hyper-parameters and arenas that several solvers share."""

from __future__ import annotations

import numpy as np

from pgames.numerics import check_numbers, whole
from pgames.solver import Weight


def check_steps(
    solver: object,
    tau: Weight,
    eta: Weight | None,
    *,
    limited: bool = True,
    positive_tau: bool = False,
) -> None:
    """Raise ValueError unless tau >= 0, eta > 0 and, where the step is explicit (`limited`), eta tau <= 1."""
    check_numbers(solver)
    name = type(solver).__name__
    taus = np.asarray(tau, dtype=np.float64)
    if not np.all(np.isfinite(taus)) or np.any(taus < 0) or (positive_tau and np.any(taus == 0)):
        need = "above 0" if positive_tau else "at least 0"
        raise ValueError(f"{name}: tau must be finite and {need}, got {tau}.")
    if eta is None:
        return
    etas = np.asarray(eta, dtype=np.float64)
    if not np.all(np.isfinite(etas)) or np.any(etas <= 0):
        raise ValueError(f"{name}: eta must be finite and above 0, got {eta}.")
    if limited and np.any(etas * taus > 1 + 1e-12):
        raise ValueError(
            f"{name}: eta * tau must be at most 1, got {np.max(etas * taus):g}: the prior would have a "
            "negative weight on the policy. Lower eta, or use MMD, which takes any step."
        )


def check_inner(solver: object, /, **inner: object) -> None:
    """Raise TypeError, naming the parameter, unless each of `inner` is a solver."""
    for name, one in inner.items():
        if isinstance(one, type) or not all(callable(getattr(one, verb, None)) for verb in ("init", "step")):
            raise TypeError(
                f"{type(solver).__name__}: {name} must be a solver, such as INPO(0.1, 0.5), got {one!r:.60}."
            )


def check_callables(solver: object, /, **given: object) -> None:
    """Raise TypeError, naming the parameter, unless each is a callable on win rates float64[S, K, K]."""
    for name, one in given.items():
        if isinstance(one, type) or not callable(one):
            raise TypeError(
                f"{type(solver).__name__}: {name} must be a callable on win rates, such as those of "
                f"pgames.population, got {one!r:.60}."
            )


def check_greed(solver: object, tau: Weight) -> None:
    """Raise ValueError unless tau >= 0 is one number, or an array without a 0: see `greed`."""
    check_steps(solver, tau, None)
    if np.ndim(tau) > 0 and np.any(np.asarray(tau) == 0):
        raise ValueError(
            f"{type(solver).__name__}: tau must be one number when it is 0, got an array with a 0."
        )


def greed(tau: Weight) -> Weight:
    """The step of a best response at tau, as `mirror_step` takes it: 1 / tau, inf at tau = 0."""
    return np.inf if np.ndim(tau) == 0 and tau == 0 else 1 / tau


def check_counts(solver: object, *names: str) -> None:
    """Raise ValueError unless each attribute is a whole number of at least 1."""
    check_numbers(solver)
    for name in names:
        if not whole(value := getattr(solver, name)) or value < 1:
            raise ValueError(
                f"{type(solver).__name__}: {name} must be a whole number of at least 1, got {value!r}."
            )


def require_table(learner: object, arena: object) -> None:
    """Raise ValueError when the arena has features, which this learner cannot use."""
    if not getattr(arena, "tabular", True):
        raise ValueError(
            f"{type(learner).__name__} learns tables, and this arena has features: leave them out."
        )
