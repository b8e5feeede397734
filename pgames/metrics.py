"""Metrics of a policy: frozen callables (arena, policy) -> float64[S] with a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Role
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame
from pgames.numerics import check_numbers, kl, number, reading, sealed
from pgames.regularisers import KL, Regulariser
from pgames.roles.arena import RoleArena
from pgames.roles.certificates import by_role
from pgames.solver import State, Weight, check_reference, copied_reference
from pgames.table.arena import Policy, TableArena

Array = NDArray[np.float64]


class Metric(Protocol):
    """A function of a policy, with a name, that returns one value per run: float64[S] or float64[S, ...]."""

    @property
    def name(self) -> str: ...

    def __call__(self, arena: Any, policy: Policy) -> Array: ...


@dataclass(frozen=True)
class Named:
    """A metric of your own: function(arena, policy) -> float64[S] or float64[S, ...], under a name.

    >>> Named("mass on 0", lambda arena, policy: arena.probs(policy)[:, 0, 0]).name
    'mass on 0'
    """

    name: str
    function: Callable[[Any, Any], Any]

    def __post_init__(self) -> None:
        _check_function(self.name, self.function)

    def __call__(self, arena: Any, policy: Policy) -> Array:
        return self.function(arena, policy)


@dataclass(frozen=True)
class OfState:
    """A metric of the whole state: function(arena, state) -> float64[S] or float64[S, ...], under a name.

    The state holds the round t, the policy and the memory of the solver. A call without a state is refused.
    """

    name: str
    function: Callable[[Any, State], Any]

    def __post_init__(self) -> None:
        _check_function(self.name, self.function)

    def __call__(self, arena: Any, policy: Policy) -> Array:
        """Raises TypeError: a policy is not a state."""
        raise TypeError(f"metric {self.name!r} reads the state: pass it to run or simulate.")


def _check_function(name: object, function: object) -> None:
    if not callable(function):
        raise TypeError(
            f"metric {name!r:.60} needs a function, got {function!r:.60}: pass Named(name, function)."
        )


def checked(metrics: Iterable[Metric], taken: Iterable[str] = ()) -> list[Metric]:
    """The metrics as a list, before the first round.

    Raises TypeError when one is not callable or has no name, and ValueError when two share a name, or one
    has a name in `taken`.
    """
    if not isinstance(metrics, Iterable) or isinstance(metrics, str):
        raise TypeError(f"metrics are a list, got {type(metrics).__name__}: pass [pgames.metrics.Entropy()].")
    found, names = list(metrics), set(taken)
    for one in found:
        if isinstance(one, type) or not callable(one):
            kind = one.__name__ if isinstance(one, type) else type(one).__name__
            call = (
                f"pass {kind}(...)" if isinstance(one, type) else "pass a function in Named(name, function)"
            )
            raise TypeError(f"a metric is called with (arena, policy), got {kind}: {call}.")
        if not isinstance(name := getattr(one, "name", None), str) or not name:
            what = getattr(one, "__name__", type(one).__name__)
            raise TypeError(
                f"a metric needs a name, which {what} lacks: pass pgames.metrics.Named('my metric', {what})."
                if what.isidentifier()
                else "a metric needs a name, which a lambda lacks: pass pgames.metrics.Named('my metric', "
                "lambda arena, policy: ...)."
            )
        if name in names:
            raise ValueError(f"two metrics are called {name!r}: give one of them another name.")
        names.add(name)
    return found


def measured(metric: Metric, arena: Any, state: State, runs: int | None, like: Array | None = None) -> Array:
    """One value per run, float64[S, ...].

    Raises ValueError when the metric returns another shape, or not that of `like`, its value in an earlier
    round, and when it writes into the state or the reference of the arena.
    """
    who, before, shown = f"metric {metric.name!r}", copied_reference(arena), sealed(state)
    with reading(who, "the arrays that it is given"):
        found = metric.function(arena, shown) if isinstance(metric, OfState) else metric(arena, shown.policy)
    check_reference(arena, before, who)
    expected = "S" if runs is None else runs
    try:
        value = np.asarray(found)
    except ValueError:  # lists of different lengths
        value = np.asarray(found, dtype=object)
    if value.ndim == 0 or runs not in (None, len(value)) or value.dtype.kind not in "biuf":
        raise ValueError(
            f"metric {metric.name!r} must return one value per run, float64[{expected}], got "
            f"{value.dtype} of shape {value.shape}."
        )
    if like is not None and value.shape != like.shape:
        raise ValueError(
            f"metric {metric.name!r} must keep its shape, {list(like.shape)}, got {list(value.shape)} in "
            f"round {state.t}."
        )
    return value.astype(np.float64) if value.dtype.kind == "b" else value


def _check_role(role: object) -> None:
    if role not in ("attacker", "defender"):
        raise ValueError(f'role must be "attacker" or "defender", got {role!r:.60}.')


@lru_cache(maxsize=8)
def _equilibrium(game: PreferenceGame, tau: float, regulariser: Regulariser) -> Array:
    return nash(game, tau, regulariser=regulariser).policy


def _check_one_tau(metric: object, tau: object) -> None:
    if np.ndim(tau) or not 0 <= number(tau) < np.inf:  # type: ignore[arg-type]
        raise ValueError(f"{type(metric).__name__}: tau must be one number, at least 0, got {tau!r:.60}.")


def regulariser_of(arena: object) -> Regulariser:
    """The regulariser of the arena; KL for an arena that names none."""
    return getattr(arena, "regulariser", KL())


@dataclass(frozen=True)
class Exploitability:
    """max_p J_tau(p, pi) - 1/2, averaged over prompts; 0 exactly at an equilibrium.

    tau : a number, at least 0, or float64[S], one per run.
    """

    tau: Weight = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)

    @property
    def name(self) -> str:
        return f"exploitability (tau {'per run' if np.ndim(self.tau) else f'= {self.tau:g}'})"

    def __call__(self, arena: TableArena | RoleArena, policy: Policy) -> Array:
        return arena.exploitability(policy, self.tau)


@dataclass(frozen=True)
class DualityGap:
    """max_p J_tau(p, pi) - min_q J_tau(pi, q), twice the exploitability.

    tau : a number, at least 0, or float64[S], one per run.
    """

    tau: Weight = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)

    @property
    def name(self) -> str:
        return f"duality gap (tau {'per run' if np.ndim(self.tau) else f'= {self.tau:g}'})"

    def __call__(self, arena: TableArena | RoleArena, policy: Policy) -> Array:
        return 2 * arena.exploitability(policy, self.tau)


@dataclass(frozen=True)
class Gain:
    """What a best response of one role gains on a pair, float64[S]; needs a `RoleArena`."""

    role: Role
    tau: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)
        _check_role(self.role)

    @property
    def name(self) -> str:
        return f"gain of the {self.role} (tau = {self.tau:g})"

    def __call__(self, arena: RoleArena, policy: Policy) -> Array:
        gains = arena.gains(policy, self.tau)
        return gains.attacker if self.role == "attacker" else gains.defender


@dataclass(frozen=True)
class RoleEntropy:
    """-sum pi log pi of one role of a pair in nats, float64[S]; prompts as often as the pair asks them."""

    role: Role

    def __post_init__(self) -> None:
        _check_role(self.role)

    @property
    def name(self) -> str:
        return f"entropy of the {self.role}"

    def __call__(self, arena: RoleArena, policy: Policy) -> Array:
        surprise = -np.where(policy > -np.inf, policy, 0.0)
        entropies = by_role(arena.roles, (arena.probs(policy) * surprise).sum(axis=-1), policy)
        return entropies.attacker if self.role == "attacker" else entropies.defender


@dataclass(frozen=True)
class KLToNash:
    """KL(Nash at tau || pi) in nats, averaged over prompts; the Nash is that of the arena's regulariser.

    inf when pi leaves out a response that the Nash plays, as policies of L2 and ChiSquare can. Raises
    ValueError unless tau is one number, finite and at least 0.
    """

    tau: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)
        _check_one_tau(self, self.tau)

    @property
    def name(self) -> str:
        return f"KL to the Nash (tau = {self.tau:g})"

    def __call__(self, arena: TableArena, policy: Policy) -> Array:
        nash = _equilibrium(arena.game, self.tau, regulariser_of(arena))
        return kl(nash, arena.probs(policy)) @ arena.game.prompt_weights


@dataclass(frozen=True)
class DivergenceToNash:
    """D(Nash at tau, pi) by the arena's regulariser D, averaged over prompts; with KL it is `KLToNash`.

    Raises ValueError unless tau is one number, finite and at least 0.
    """

    tau: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)
        _check_one_tau(self, self.tau)

    @property
    def name(self) -> str:
        return f"divergence to the Nash (tau = {self.tau:g})"

    def __call__(self, arena: TableArena, policy: Policy) -> Array:
        regulariser = regulariser_of(arena)
        nash = _equilibrium(arena.game, self.tau, regulariser)
        base = np.where(arena.game.support, arena.game.reference, 1.0)
        return regulariser.divergence(nash, arena.probs(policy), base) @ arena.game.prompt_weights


@dataclass(frozen=True)
class KLToReference:
    """KL(pi || reference) in nats, averaged over prompts."""

    name: str = "KL to the reference"

    def __call__(self, arena: TableArena, policy: Policy) -> Array:
        return kl(arena.probs(policy), arena.game.reference) @ arena.game.prompt_weights


@dataclass(frozen=True)
class Entropy:
    """-sum pi log pi in nats, averaged over prompts."""

    name: str = "entropy"

    def __call__(self, arena: TableArena, policy: Policy) -> Array:
        p = arena.probs(policy)
        surprise = -np.where(p > 0, policy, 0.0)
        return (p * surprise).sum(axis=-1) @ arena.game.prompt_weights


@dataclass(frozen=True)
class Support:
    """Number of responses with probability above `threshold`, averaged over prompts."""

    threshold: float = 1e-9

    def __post_init__(self) -> None:
        check_numbers(self)

    @property
    def name(self) -> str:
        return f"support (> {self.threshold:g})"

    def __call__(self, arena: TableArena, policy: Policy) -> Array:
        return (arena.probs(policy) > self.threshold).sum(axis=-1) @ arena.game.prompt_weights


@dataclass(frozen=True)
class Policies:
    """The probabilities of the policy, float64[S, X, Y], for simplex plots."""

    name: str = "policy"

    def __call__(self, arena: TableArena, policy: Policy) -> Array:
        return arena.probs(policy)


def win_rate_matrix(arena: TableArena, policies: list[Policy]) -> Array:
    """float64[S, K, K]: the win rate of policy i against policy j, for K policies."""
    rows = [np.stack([arena.win_rate(first, second) for second in policies], axis=-1) for first in policies]
    return np.stack(rows, axis=1)
