"""Curve: quantities of a solver over runs and rounds, with their statistics."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames import frames
from pgames.curves import fit, saved
from pgames.curves.checks import (
    array_of,
    check_bits,
    check_facts,
    check_rounds,
    check_values,
    whole_numbers,
)
from pgames.curves.fit import LogFit, Slope
from pgames.curves.setting import Setting, written
from pgames.curves.summary import Summary, summarise
from pgames.frames import Kind
from pgames.solver import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pgames.bounds import Bound

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
AXES = ("run", "round", "bits")  # names of columns beside the quantities


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """Quantities of S runs of a solver, recorded at R rounds. Returned by `pgames.run` and `pgames.simulate`.

    Raises ValueError when the shapes or types of the arrays do not fit each other.

    Parameters
    ----------
    solver : repr of the solver or learner.
    rounds : int64[R], increasing.
    values : name -> float64[S, R], or float64[S, R, ...] for a metric with further axes, such as policies.
        Statistics and plots use the first quantity; `only` selects another.
    bits : int64[R], verdicts that one run has asked for, or None where they are not counted.
    tau : KL weight of the regret; None where every metric has its own.
    state : the last state of the solver; None when loaded from a file.
    cpu_seconds : CPU time of the rounds without the metrics, or None where it was not measured.
    stopped : whether Ctrl-C ended the rounds early.
    setting : the arena of the runs; None for a curve made by hand, or saved by an earlier version.
    """

    solver: str
    rounds: Counts
    values: dict[str, Array]
    bits: Counts | None = None
    tau: float | None = None
    state: State | None = None
    cpu_seconds: float | None = None
    stopped: bool = False
    setting: Setting | None = None

    def __post_init__(self) -> None:
        check_facts(self.solver, self.values, self.tau, self.cpu_seconds, self.stopped)
        object.__setattr__(self, "rounds", array_of("rounds", self.rounds))
        values = {name: array_of(repr(name), one) for name, one in self.values.items()}
        object.__setattr__(self, "values", values)
        check_rounds(self.rounds)
        check_values(self.values, len(self.rounds))
        if self.bits is not None:
            object.__setattr__(self, "bits", array_of("bits", self.bits))
            check_bits(self.bits, len(self.rounds))

    def __repr__(self) -> str:
        parts = [self.solver, f"T={self.rounds[-1]}", f"seeds={self.seeds}"]
        for name, value in self.values.items():
            if value.ndim == 2:
                final = value[:, -1]
                error = f" ± {final.std() / np.sqrt(self.seeds):.2g}" if self.seeds > 1 else ""
                parts.append(f"{name}={final.mean():.4g}{error}")
        return f"Curve({', '.join(parts)})"

    @property
    def seeds(self) -> int:
        """Number of runs S."""
        return len(next(iter(self.values.values()))) if self.values else 0

    # -- quantities -------------------------------------------------------------------------------------

    def recorded(self, name: str) -> Array:
        """The quantity of that name, float64[S, R, ...]. Raises ValueError when it was not recorded."""
        if name not in self.values:
            there = ", ".join(map(repr, self.values))
            raise ValueError(
                f"{self.solver!r} did not record {name!r}, only {there}: name one of them, or run again with "
                "that metric in record=[...]."
            )
        return self.values[name]

    def only(self, name: str) -> Curve:
        """The curve of one quantity alone. Raises ValueError when it was not recorded."""
        return replace(self, values={name: self.recorded(name)})

    @property
    def regret(self) -> Array:
        """sum_t gap(pi_t), float64[S, R]. Raises ValueError when it was not recorded."""
        return self.recorded("regret")

    @property
    def gap(self) -> Array:
        """gap of the policy of that round, float64[S, R]. Raises ValueError when not recorded."""
        return self.recorded("gap")

    @property
    def external(self) -> Array:
        """Regret against the best fixed policy, float64[S, R], at most `regret`.

        Raises ValueError when it was not recorded.
        """
        return self.recorded("external")

    @property
    def average_gap(self) -> Array:
        """gap of the average policy, float64[S, R], at most external / T.

        Raises ValueError when it was not recorded.
        """
        return self.recorded("average_gap")

    # -- over runs --------------------------------------------------------------------------------------

    def summary(self, seed: int = 0) -> Summary:
        """Mean, its bootstrap interval (drawn by `seed`), median and quantiles at every recorded round.

        Raises ValueError when the first quantity has axes beyond [S, R].
        """
        return summarise(self.rounds, self.bits, self._first(), seed)

    def at(self, rounds: ArrayLike, seed: int = 0) -> Summary:
        """The summary after int64[N] rounds; the quantity and bits are linear between recorded rounds.

        Raises ValueError when a round is no whole number or lies outside those recorded.
        """
        wanted = whole_numbers("rounds", rounds)
        values = self.interpolate(wanted)
        bits = None if self.bits is None else np.interp(wanted, self.rounds, self.bits).astype(np.int64)
        return summarise(wanted, bits, values, seed)

    def at_bits(self, bits: ArrayLike, seed: int = 0) -> Summary:
        """The summary after int64[N] verdicts: compares learners at equal cost, not at equal rounds.

        If several rounds share a count, the last one is used. Raises ValueError when verdicts are not
        counted, or a count is no whole number or lies outside those recorded.
        """
        counted = self.bits
        if counted is None:
            raise ValueError(f"{self.solver} counts no verdicts: compare by rounds, with at(rounds).")
        wanted = whole_numbers("bits", bits)
        if (wanted < counted[0]).any() or (wanted > counted[-1]).any():
            raise ValueError(
                f"{self.solver} asked for {counted[0]} bits in its first round and {counted[-1]} in "
                f"all, got {wanted.min()} to {wanted.max()}: stay within, or simulate more rounds."
            )
        i = np.searchsorted(counted, wanted, side="right") - 1
        j = np.minimum(i + 1, len(counted) - 1)
        step = np.maximum(counted[j] - counted[i], 1)
        rounds = self.rounds[i] + (wanted - counted[i]) * (self.rounds[j] - self.rounds[i]) // step
        return summarise(rounds, wanted, self.interpolate(rounds), seed)

    def interpolate(self, rounds: Counts) -> Array:
        """The first quantity float64[S, N] after int64[N] rounds, linear between recorded ones.

        Raises ValueError when a round lies outside those recorded.
        """
        if (rounds < self.rounds[0]).any() or (rounds > self.rounds[-1]).any():
            raise ValueError(
                f"the curve is recorded from round {self.rounds[0]} to {self.rounds[-1]}, got {rounds.min()} "
                f"to {rounds.max()}: stay within, or simulate more rounds."
            )
        values = self._first()
        i = np.searchsorted(self.rounds, rounds, side="right") - 1
        j = np.minimum(i + 1, len(self.rounds) - 1)
        weight = (rounds - self.rounds[i]) / np.maximum(self.rounds[j] - self.rounds[i], 1)
        return (1 - weight) * values[:, i] + weight * values[:, j]

    def late_slope(self, seed: int = 0) -> Slope:
        """d ln(mean) / d ln(rounds) on the last decade. Regret: 1 if linear, 1/2 if sqrt T, to 0 if log T.

        Raises ValueError when fewer than three rounds are recorded there, or a mean is not above 0.
        """
        return fit.late_slope(self.rounds, self._first(), seed)

    def fit_log(self, from_round: int = 1000, seed: int = 0) -> LogFit:
        """mean = a + b ln T, fitted to the recorded rounds from `from_round` on.

        Raises ValueError when fewer than three rounds are recorded there, or a value is NaN or infinite.
        """
        return fit.fit_log(self.rounds, self._first(), from_round, seed)

    def plot(
        self,
        metric: str | None = None,
        bound: Bound | Sequence[Bound] | None = None,
        by: Literal["rounds", "bits"] = "rounds",
        title: str = "",
        ax: Axes | None = None,
    ) -> Figure:
        """Draw a quantity, the first by default, on logarithmic axes with bounds over it, in `ax` if given.

        Regret is drawn by `plot.compare` as a mean with its bootstrap band, every other quantity by
        `plot.convergence` as a median with a band of quantiles. Raises ValueError when the quantity was not
        recorded, or the bound is on another quantity.
        """
        from pgames import plot

        name = metric or self._name()
        if name == "regret":
            return plot.compare(self, by, bound, title=title, ax=ax)
        return plot.convergence(self, name, bound, by=by, title=title, ax=ax)

    # -- frames -----------------------------------------------------------------------------------------

    def to_frame(self, kind: Kind | None = None) -> Any:
        """A data frame with a row for each run and recorded round, of pandas or polars as installed.

        Columns: run, round, bits where verdicts are counted, and every quantity with one number per run and
        round; quantities with further axes are left to `to_xarray`. A quantity that is called run, round or
        bits itself becomes "run (quantity)". Raises ValueError for another kind, and ModuleNotFoundError when
        narwhals or the library is missing.
        """
        S, R = max(self.seeds, 1), len(self.rounds)
        columns: dict[str, NDArray[Any]] = {
            "run": np.repeat(np.arange(S), R),
            "round": np.tile(self.rounds, S),
        }
        if self.bits is not None:
            columns["bits"] = np.tile(self.bits, S)
        named = frames.apart(self.values, AXES, "quantity")
        columns |= {named[name]: value.reshape(-1) for name, value in self.values.items() if value.ndim == 2}
        return frames.frame(columns, kind)

    def to_xarray(self) -> Any:
        """An xarray Dataset with the dimensions run and round, and axis0, axis1, ... of further axes.

        Raises ModuleNotFoundError when xarray is not installed.
        """
        arrays, named = {}, frames.apart(self.values, AXES, "quantity")
        for given, value in self.values.items():
            name = named[given]
            further = tuple(f"{name}_axis{i}" for i in range(value.ndim - 2))
            arrays[name] = (("run", "round", *further), value)
        coordinates: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {
            "run": (("run",), np.arange(self.seeds)),
            "round": (("round",), self.rounds),
        }
        if self.bits is not None:
            coordinates["bits"] = (("round",), self.bits)
        setting = {} if self.setting is None else self.setting._asdict()
        return frames.dataset(arrays, coordinates, {"solver": self.solver, "tau": self.tau, **setting})

    # -- files ------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all fields but the state to one .npz file, atomically."""
        tau, seconds = (None if one is None else float(one) for one in (self.tau, self.cpu_seconds))
        about = {"solver": self.solver, "tau": tau, "cpu_seconds": seconds, "stopped": bool(self.stopped)}
        about["setting"] = written(self.setting)
        saved.write(path, about, self.rounds, self.values, self.bits)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Curve:
        """Read a file of `save`, or a run or regret curve saved by an earlier version.

        Raises ValueError when the file is cut short, or holds no curve.
        """
        about, rounds, values, bits = saved.read(path)
        try:
            return Curve(rounds=rounds, values=values, bits=bits, **about)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is not a saved curve: {error}") from None

    def _name(self) -> str:
        if not self.values:
            raise ValueError("the curve holds no quantity: run again with a metric in record=[...].")
        return next(iter(self.values))

    def _first(self) -> Array:
        name = self._name()
        values = self.values[name]
        if values.ndim != 2:
            raise ValueError(
                f"{name!r} has shape {values.shape}, and statistics need one number per run and round: "
                "select another quantity with only(name)."
            )
        return values
