"""Equilibria in one line, as a table for notebooks, and as columns of a data frame."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 4  # responses in a line
ROWS = 20  # responses in a table of a notebook
PLAYED = 1e-9  # the least probability that counts as played


def in_line(p: Array, labels: Sequence[str] = ()) -> str:
    """The likeliest of Y responses, float64[Y], and how many are played: "2: 0.36, 0: 0.36, ..., 3 of 9"."""
    order = np.argsort(-p, kind="stable")
    played = int((p > PLAYED).sum())
    likeliest = ", ".join(f"{_name(labels, y)}: {p[y]:.4g}" for y in order[: min(MOST, max(played, 1))])
    more = ", ..." if played > MOST else ""
    return f"{likeliest}{more}, {played} of {len(p)} played"


def equilibrium_line(policy: Array, exploitability: float, residual: float, labels: Sequence[str]) -> str:
    """One line for a policy float64[X, Y] and its certificate; the first prompt stands for the others."""
    prompts = "" if len(policy) == 1 else f"{len(policy)} prompts; the first: "
    return (
        f"Equilibrium({prompts}{in_line(policy[0], labels)}; exploitability={exploitability:.2g}, "
        f"residual={residual:.2g})"
    )


def equilibrium_html(line: str, policy: Array, labels: Sequence[str]) -> str:
    """The line above a table of the likeliest responses of a policy float64[X, Y], averaged over prompts."""
    p = policy.mean(axis=0)
    order = np.argsort(-p, kind="stable")[:ROWS]
    rows = [
        f"<tr><td>{html.escape(_name(labels, y))}</td><td>{p[y]:.6f}</td></tr>"
        for y in order
        if p[y] > PLAYED
    ]
    return _folded(line, ("response", "probability"), rows)


def _folded(line: str, head: Sequence[str], rows: Sequence[str]) -> str:
    names = "".join(f"<th>{one}</th>" for one in head)
    return (
        f"<details><summary>{html.escape(line)}</summary><table><thead><tr>{names}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )


def pair_line(row: Array, column: Array, value: float, exploitability: float) -> str:
    """One line for strategies float64[m] and float64[n], their value and certificate."""
    return (
        f"ZeroSumEquilibrium(value={value:.6g}; row: {in_line(row)}; column: {in_line(column)}; "
        f"exploitability={exploitability:.2g})"
    )


def pair_html(line: str, row: Array, column: Array) -> str:
    """The line above a table of the likeliest strategies of both players, float64[m] and float64[n]."""
    rows = [
        f"<tr><td>{player}</td><td>{i}</td><td>{p[i]:.6f}</td></tr>"
        for player, p in (("row", row), ("column", column))
        for i in np.argsort(-p, kind="stable")[:ROWS]
        if p[i] > PLAYED
    ]
    return _folded(line, ("player", "strategy", "probability"), rows)


def pair_columns(row: Array, column: Array) -> dict[str, list[Any]]:
    """The columns player, strategy and probability, of m + n rows, of float64[m] and float64[n]."""
    return {
        "player": ["row"] * len(row) + ["column"] * len(column),
        "strategy": [*range(len(row)), *range(len(column))],
        "probability": [*row.tolist(), *column.tolist()],
    }


def equilibrium_columns(policy: Array, labels: Sequence[str]) -> dict[str, list[Any]]:
    """The columns prompt, response and probability, of X Y rows, of a policy float64[X, Y]."""
    X, Y = policy.shape
    names = [_name(labels, y) for y in range(Y)]
    return {
        "prompt": [x for x in range(X) for _ in range(Y)],
        "response": names * X,
        "probability": policy.ravel().tolist(),
    }


def _name(labels: Sequence[str], y: int | np.intp) -> str:
    return str(labels[int(y)]) if labels else str(int(y))
