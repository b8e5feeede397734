"""`pgames regret`: the regret of learners on a game, as a table, a figure and data."""

from __future__ import annotations

import csv
import inspect
import json
import math
import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer


def whole(text: str) -> int:
    """10000, 1e4 or 10_000 as a number."""
    try:
        number = float(text)
        if number != int(number) or number < 1:
            raise ValueError
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a whole number of at least 1, such as 1e4.") from None
    return int(number)


def regret(
    learner: Annotated[
        list[str], typer.Option(help="A name such as enpo or optimistic:optimism=0.3; give it several times.")
    ],
    game: Annotated[
        str,
        typer.Option(
            help="A name such as cyclic:5,p=0.9, a matrix, or a file of votes. Named games take --tau."
        ),
    ] = "hidden_rps",
    rounds: Annotated[int, typer.Option(parser=whole, metavar="T", help="How many, such as 1e6.")] = 10_000,
    seeds: Annotated[int, typer.Option(parser=whole, metavar="S", help="Independent runs.")] = 100,
    tau: Annotated[
        float, typer.Option(help="Weight of the KL to the reference, of learners and regret.")
    ] = 0.05,
    refresh: Annotated[
        float | None,
        typer.Option(
            help="Update when t has grown by this factor (1.02), for learners that can; else every round."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all randomness.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for figure, table and data.")] = Path("results/regret"),
) -> None:
    """Simulate learners that know a game only from duels; write their regret as figure, table and data."""
    import pgames as pg
    from pgames.cli.arguments import parse_game, parse_learner
    from pgames.plot import save_figure
    from pgames.plot.regret import compare
    from pgames.regret.simulate import check_refresh

    table = parse_game(_with_tau(game, tau))
    chosen = {text: parse_learner(text, tau) for text in learner}
    if len(chosen) < len(learner):
        raise ValueError(f"a learner is given twice, in {', '.join(learner)}: name each once.")
    if refresh is not None:
        check_refresh(refresh)
    pace = {text: refresh if _can_wait(one, table) else None for text, one in chosen.items()}
    if refresh is not None and (each := [text for text, every in pace.items() if every is None]):
        print(f"every round, without --refresh: {', '.join(each)} has no lazy updates", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for text, one in chosen.items():
        start = time.process_time()
        curve = pg.simulate(one, table, rounds, seeds, tau, pace[text], seed=seed)
        rows.append(Row(text, curve, pace[text], time.process_time() - start))
        curve.save(out / f"{_file_name(text)}.npz")
        if curve.stopped:
            break
    title = f"{game}, tau = {tau:g}, {seeds} seeds"
    save_figure(compare({row.name: row.curve for row in rows}, title=title), out / "regret.png")
    _write_csv(out / "regret.csv", rows)
    _write_json(out / "regret.json", rows, {"game": game, "tau": tau, "seeds": seeds, "seed": seed})
    _print(title, rows)
    print(f"figure, table and data: {out}")
    if rows[-1].curve.stopped:
        raise KeyboardInterrupt


class Row(NamedTuple):
    """A learner as it was named, its curve, its refresh and its CPU seconds."""

    name: str
    curve: Any
    refresh: float | None
    cpu_seconds: float


def _with_tau(game: str, tau: float) -> str:
    """hidden_rps as hidden_rps:tau=0.05, where the game has a tau that the text does not give."""
    from pgames.cli.calls import parse
    from pgames.names import games

    name, _, tail = game.partition(":")
    make = games().get(name.strip())
    if make is None or "tau" not in inspect.signature(make).parameters:
        return game
    call = parse(game, games())
    return game if call.values or "tau" in call.named else f"{name}:{tail}{',' if tail else ''}tau={tau!r}"


def _can_wait(learner: Any, game: Any) -> bool:
    """Whether one step may stand for two rounds."""
    from pgames.table.duels import DuelArena

    arena = DuelArena(game)
    return learner.step(arena.at(0, 2), learner.init(arena)).t == 2


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")


def _facts(row: Row) -> dict[str, Any]:
    """The last row of a curve and its late slope, for JSON and the table; None where there is none."""
    last = row.curve.at(row.curve.rounds[-1])
    facts: dict[str, Any] = {name: float(value[0]) for name, value in last._asdict().items()}
    facts |= {
        "rounds": int(last.rounds[0]),
        "bits": int(last.bits[0]),
        "gap": float(row.curve.gap[:, -1].mean()),
    }
    try:
        slope = row.curve.late_slope()
        facts |= {"slope": slope.slope, "slope_low": slope.low, "slope_high": slope.high}
    except ValueError:  # too few rounds, or no regret at all
        facts |= {"slope": math.nan, "slope_low": math.nan, "slope_high": math.nan}
    return {name: value if math.isfinite(value) else None for name, value in facts.items()}


def _write_json(path: Path, rows: list[Row], configuration: dict[str, Any]) -> None:
    import pgames as pg
    from pgames.files import atomic

    learners = [
        {
            "name": row.name,
            "learner": row.curve.learner,
            "refresh": row.refresh,
            "cpu_seconds": round(row.cpu_seconds, 3),
            "stopped": row.curve.stopped,
            **_facts(row),
        }
        for row in rows
    ]
    with atomic(path, "w") as file:
        content = {"pgames": pg.__version__, **configuration, "learners": learners}
        json.dump(content, file, indent=2, allow_nan=False)


def _write_csv(path: Path, rows: list[Row]) -> None:
    from pgames.files import atomic

    with atomic(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        for i, row in enumerate(rows):
            table = row.curve.summary()
            if i == 0:
                writer.writerow(["learner", *table._fields])
            writer.writerows([row.name, *line] for line in zip(*(c.tolist() for c in table), strict=True))


def _print(title: str, rows: list[Row]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pgames.plot.regret import HEAVY

    table = Table(title=escape(title), title_justify="left")
    for heading in ("learner", "rounds", "Reg mean", "95 %", "median", "late slope", "gap", "bits", "CPU s"):
        table.add_column(heading, justify="left" if heading == "learner" else "right")
    heavy = []
    for row in rows:
        f = _facts(row)
        table.add_row(
            escape(row.name),
            f"{f['rounds']}",
            f"{f['mean']:.4g}",
            _range(f["low"], f["high"]),
            f"{f['median']:.4g}",
            "-" if f["slope"] is None else f"{f['slope']:.2f} {_range(f['slope_low'], f['slope_high'])}",
            f"{f['gap']:.2g}",
            f"{f['bits']}",
            f"{row.cpu_seconds:.2f}",
        )
        if (tail := row.curve.at(row.curve.rounds[-1]).tail) > HEAVY:
            heavy.append(f"{row.name} (mean / median {tail:.3g})")
    # a table that nobody watches is for a file or a pipe: wide enough not to wrap
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    if heavy:
        console.print(f"means are heavy-tailed here: {', '.join(heavy)}", highlight=False, markup=False)


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"({low:.3g} to {high:.3g})"
