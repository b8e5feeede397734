"""A solver as a table of coefficients, like the Butcher tableau of a Runge-Kutta method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pgames.extras import need
from pgames.solver import Solver, Weight
from pgames.solvers.mirror import EGPO, INPO, IPOMD, MMD, MNPO, ONPO, SPPO, NashEMA, NashMD
from pgames.tracing.compiled import run_compiled
from pgames.tracing.recording import Blend, Recorder, Trace, trace

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Row", "Tableau", "family_rows", "family_table", "run_compiled", "tableau"]


class Row(NamedTuple):
    """policy = prod_i input_i ** exponents[i] * exp(sum of step * P opponent), normalised."""

    policy: str
    exponents: dict[str, Weight]
    payoffs: dict[str, Weight]  # opponent -> step


@dataclass(frozen=True, repr=False)
class Tableau:
    """A round of `solver`: every policy that is an opponent (k1, k2, ...) or is kept (pi', ...).

    Inputs are the reference `ref`, the policy `pi`, earlier policies `pi[t-1]`, ... and other memories `m`.
    """

    solver: str
    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        inputs = list(dict.fromkeys(name for row in self.rows for name in row.exponents))
        cells = [["", *inputs, "exp of"]] + [
            [row.policy, *(_text(row.exponents.get(name, 0.0)) for name in inputs), _payoff(row)]
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        lines = [
            "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in cells
        ]
        return "\n".join([self.solver, *lines])


def tableau(solver: Solver) -> Tableau:
    """Trace `solver`; `print` shows its coefficients.

    Weights that change with the round are shown for rounds 0, 1 and 2. Raises TypeError, naming the verb,
    when the solver calls anything but geometric mixtures and mirror steps.

    >>> from pgames.solvers.mirror import EGPO
    >>> print(tableau(EGPO(tau=0.1, eta=0.5)))
    EGPO(tau=0.1, eta=0.5)
          pi     ref    exp of
    k1    0.95   0.05   0.5 P pi
    pi'   0.95   0.05   0.5 P k1
    """
    start = solver.init(Recorder(solver))
    traced = trace(solver, np.arange(3)[:, None], start.memory)
    names = _names(traced)
    exponents: list[dict[str, Weight]] = [{name: 1.0} for name in names[: traced.inputs]]
    payoffs: list[dict[str, Weight]] = [{} for _ in exponents]
    for operation in traced.operations:
        if isinstance(operation, Blend):
            terms = operation.terms
            exponents.append(_combined([(w, exponents[i]) for w, i in terms]))
            payoffs.append(_combined([(w, payoffs[i]) for w, i in terms]))
        else:
            gain: dict[str, Weight] = {names[operation.opponent]: 1.0}
            exponents.append(exponents[operation.prior])
            payoffs.append(_combined([(1.0, payoffs[operation.prior]), (operation.step, gain)]))
    shown = [i for i in range(traced.inputs, len(names)) if names[i]]
    return Tableau(repr(solver), tuple(Row(names[i], exponents[i], payoffs[i]) for i in shown))


def _names(traced: Trace) -> list[str]:
    """One name per register; "" for a pure prior, which is merged into the rows that use it."""
    names = ["ref", "pi"] + [""] * (traced.inputs - 2 + len(traced.operations))
    memories = range(2, traced.inputs)
    ages = {1: 0}
    for _ in memories:  # an input that is replaced by the previous policy is an earlier policy
        ages.update({i: ages[traced.outputs[i]] + 1 for i in memories if traced.outputs[i] in ages})
    for i, age in list(ages.items())[1:]:
        names[i] = f"pi[t-{age}]"
    others = [i for i in memories if not names[i]]
    for number, i in enumerate(others, 1):
        names[i] = "m" if len(others) == 1 else f"m{number}"
    for i in [1, *others]:
        if traced.outputs[i] >= traced.inputs:
            names[traced.outputs[i]] = names[i] + "'"
    opponents = {op.opponent for op in traced.operations if not isinstance(op, Blend)}
    stages = [i for i in sorted(opponents) if not names[i]]
    for number, i in enumerate(stages, 1):
        names[i] = f"k{number}"
    return names


def _combined(parts: Sequence[tuple[Weight, dict[str, Weight]]]) -> dict[str, Weight]:
    total: dict[str, Weight] = {}
    for weight, part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + weight * value
    return total


def _text(weight: Weight) -> str:
    values = np.asarray(weight, dtype=np.float64)
    if values.size == 1 or np.ptp(values) == 0:
        return "" if values.flat[0] == 0 else f"{values.flat[0]:.4g}"
    if values.ndim == 2 and values.shape[1] == 1:
        return ", ".join(f"{value:.3g}" for value in values[:, 0]) + ", ..."
    return f"{values.min():.3g} to {values.max():.3g}"


def _payoff(row: Row) -> str:
    parts = []
    for opponent, step in row.payoffs.items():
        number = _text(step)
        parts.append(
            f"({number}) P {opponent}" if "," in number or " " in number else f"{number} P {opponent}"
        )
    return " + ".join(parts).replace("+ -", "- ")


def family_rows(tau: float = 0.1, eta: float = 0.5) -> list[dict[str, str]]:
    """The mirror family as one list of rows, the coefficients traced from each solver's code."""
    solvers = [
        SPPO(eta),
        INPO(tau, eta),
        MMD(tau, eta),
        NashMD(tau),
        NashMD(tau, eta),
        IPOMD(tau, eta),
        NashEMA(tau, eta),
        EGPO(tau, eta),
        ONPO(tau, eta),
        MNPO(tau, eta),
    ]
    rows = []
    for solver in solvers:
        for number, row in enumerate(tableau(solver).rows):
            others = {name: w for name, w in row.exponents.items() if name not in ("ref", "pi")}
            rows.append(
                {
                    "solver": "" if number else repr(solver),
                    "policy": row.policy,
                    "ref": _text(row.exponents.get("ref", 0.0)),
                    "pi": _text(row.exponents.get("pi", 0.0)),
                    "past": "  ".join(f"{name}: {_text(w)}" for name, w in others.items()),
                    "exp of": _payoff(row),
                }
            )
    return rows


def family_table(tau: float = 0.1, eta: float = 0.5) -> Table:
    """`family_rows` as a table to print with rich."""
    escape, Table = need("rich.markup", "votes").escape, need("rich.table", "votes").Table
    rows = family_rows(tau, eta)
    table = Table(title=f"One round of each solver at tau = {tau:g}, eta = {eta:g}: exponents and payoffs")
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row.values()))
    return table
