"""Trace a solver, with an arena that computes nothing and records the verbs called in a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np

from pgames.solver import Solver, State, Weight


class NotTraceable(TypeError):
    """The solver does something that is not a geometric mixture or a mirror step."""


@dataclass(frozen=True)
class Register:
    """The place of a policy: 0 the reference, 1 the policy, then the solver's memory, then results."""

    index: int


class Blend(NamedTuple):
    """target = prod_k policy_k ** weight_k, normalised."""

    target: int
    terms: tuple[tuple[Weight, int], ...]


class Step(NamedTuple):
    """target = mirror_step(prior, opponent, step)."""

    target: int
    prior: int
    opponent: int
    step: Weight


class Trace(NamedTuple):
    """The operations of a round: the first `inputs` registers are given, and input i becomes `outputs[i]`."""

    inputs: int
    operations: tuple[Blend | Step, ...]
    outputs: tuple[int, ...]


class Recorder:
    """An arena that records the verbs that can be traced and refuses the others by name."""

    def __init__(self, solver: Solver, inputs: int = 1):
        self._solver, self._next = solver, inputs
        self.operations: list[Blend | Step] = []
        self.reference = Register(0)

    def at(self, t: object) -> Recorder:
        return self

    def geometric_mixture(self, *terms: tuple[Weight, Register]) -> Register:
        target = self._new()
        self.operations.append(Blend(target.index, tuple((w, policy.index) for w, policy in terms)))
        return target

    def mirror_step(self, prior: Register, opponent: Register, step: Weight) -> Register:
        target = self._new()
        self.operations.append(Step(target.index, prior.index, opponent.index, step))
        return target

    def mixture(self, *terms: tuple[Weight, Register]) -> Register:
        refuse(self._solver, "calls mixture")

    def __getattr__(self, verb: str) -> NoReturn:
        if verb.startswith("__"):
            raise AttributeError(verb)
        refuse(self._solver, f"calls {verb}")

    def _new(self) -> Register:
        self._next += 1
        return Register(self._next - 1)


def refuse(solver: Solver, what: str) -> NoReturn:
    """Raises NotTraceable, a TypeError, naming what the solver does that cannot be traced."""
    raise NotTraceable(
        f"{type(solver).__name__} {what}, and only geometric_mixture and mirror_step (with a finite step) "
        "can be traced: use run(..., compiled=False)."
    )


def trace(solver: Solver, t: Any, memory: Any) -> Trace:
    """The operations of `solver` in the rounds `t`, an array of shape [R, 1]; weights broadcast to [R, S].

    `memory` is the memory of a state; only its structure is used. Raises NotTraceable (a TypeError) when the
    solver calls another verb, branches on the round or remembers anything but policies.
    """
    inputs = 2 + len(policies(memory))
    places = iter(range(2, inputs))
    recorder = Recorder(solver, inputs)
    before = State(t, Register(1), rebuilt(memory, lambda _: Register(next(places))))
    try:
        after = solver.step(recorder, before)
    except NotTraceable:
        raise
    except (TypeError, ValueError) as error:
        refuse(solver, f"uses the round in a way that cannot be traced ({error})")
    except AttributeError as error:
        refuse(solver, f"reads what the trace of a policy or of an arena lacks ({error})")
    if not isinstance(after, State):
        refuse(solver, f"returns no State but {type(after).__name__}")
    if not np.array_equal(after.t, t + 1):
        refuse(solver, "does not return a State of round state.t + 1")
    for leaf in _leaves(memory):
        if not _is_policy(leaf):
            refuse(solver, f"remembers more than policies (a {type(leaf).__name__})")
    outputs = (Register(0), after.policy, *policies(after.memory))
    if not all(isinstance(one, Register) for one in outputs):
        refuse(solver, "returns a policy that no verb of the arena made")
    if len(outputs) != inputs:
        refuse(solver, f"remembers {inputs - 2} policies before a round and {len(outputs) - 2} after it")
    return Trace(inputs, tuple(recorder.operations), tuple(register.index for register in outputs))


def policies(memory: object) -> list[Any]:
    """The policies of a memory (a policy, or nested tuples of policies), in order."""
    return [leaf for leaf in _leaves(memory) if _is_policy(leaf)]


def rebuilt(memory: Any, replace: Callable[[Any], Any]) -> Any:
    """The same tuples with every policy replaced."""
    if not isinstance(memory, tuple):
        return replace(memory) if _is_policy(memory) else memory
    parts = [rebuilt(part, replace) for part in memory]
    return type(memory)(*parts) if hasattr(memory, "_fields") else tuple(parts)


def _leaves(memory: object) -> list[object]:
    if isinstance(memory, tuple):
        return [leaf for part in memory for leaf in _leaves(part)]
    return [memory]


def _is_policy(leaf: object) -> bool:
    return isinstance(leaf, Register) or getattr(leaf, "ndim", 0) == 3
