"""The commands: `pgames demo`, `solve`, `adversary`, `report`, `regret`, `league` and `families`.

Exit codes: 0 done; 2 bad input, with one line on the standard error that names the value and the remedy;
130 stopped by Ctrl-C, 143 by SIGTERM. Files appear whole or not at all.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from pgames.cli.league import league
from pgames.cli.notes import Drop, NoPrompt
from pgames.cli.regret import regret
from pgames.extras import need
from pgames.folders import used
from pgames.terminal import one_line


class Commands(TyperGroup):
    """Commands that report bad input in one line and set the exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.Exit with code 2 on bad input and 130 after a Ctrl-C."""
        if (here := os.getcwd()) not in sys.path:  # solvers of your own: module:name
            sys.path.append(here)
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, typer.Exit, typer.Abort):
            raise
        except (ValueError, OSError, MemoryError, ModuleNotFoundError, RuntimeError) as error:
            print(f"pgames: {one_line(_said(error))}", file=sys.stderr)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            print("pgames: stopped; every file that was written is complete.", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Preference games: exact equilibria, Nash learning from human feedback, ratings from votes.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import pgames

        print(f"pgames {pgames.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Preference games: exact equilibria, Nash learning from human feedback, ratings from votes."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the figures and the page.")] = Path("results/demo"),
) -> None:
    """Run five solvers on five games and write a page of figures."""
    from pgames.report.demo import run_demo

    run_demo(out)


@app.command(short_help="Run a solver on a game, beside the exact equilibrium.")
def solve(
    game: Annotated[
        str, typer.Argument(help="A name such as cyclic:5,p=0.9, or a file with a matrix or votes.")
    ],
    solver: Annotated[
        str,
        typer.Option(
            help="A name such as EGPO, COMAL:every=50 or Average(MMD), or package.module:Class of your own."
        ),
    ] = "EGPO",
    tau: Annotated[
        float | None, typer.Option(help="Weight of the KL to the reference, at least 0 (default 0.1).")
    ] = None,
    eta: Annotated[float | None, typer.Option(help="Step size, above 0 (default 0.5).")] = None,
    regulariser: Annotated[
        str, typer.Option(help="In place of the KL: ReverseKL, ChiSquare:kl=1, Tsallis:0.5 or L2.")
    ] = "KL",
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds.")] = 1000,
    symmetrise: Annotated[bool, typer.Option(help="Replace P by (P + 1 - P') / 2.")] = False,
    no_prompt: NoPrompt = False,
    drop: Drop = False,
    plot: Annotated[
        Path | None, typer.Option(help="Figure of the exploitability against rounds: .png, .svg or .pdf.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Run a solver on a game and compare it with the exact equilibrium."""
    from pgames.cli.arguments import parse_regulariser, parse_solver, parse_source
    from pgames.cli.solving import print_solution, solution, solve_game

    _check_figure(plot)
    with nullcontext() if plot is None else used(plot.parent):
        chosen, penalty = parse_solver(solver, tau, eta), parse_regulariser(regulariser)
        source = parse_source(game, symmetrise, not no_prompt, drop)
        result = solve_game(source.game, chosen, rounds, penalty)
        found = solution(game, source, chosen, result, penalty)
        if as_json:
            print(json.dumps(dataclasses.asdict(found), indent=2, allow_nan=False))
        else:
            print_solution(found)
        if plot is not None:
            from pgames.plot import convergence, save_figure

            save_figure(convergence(result, title=game), plot)
            print(f"figure: {plot}", file=sys.stderr if as_json else sys.stdout)


@app.command(short_help="Run an attacker against a defender, beside the exact pair.")
def adversary(
    game: Annotated[
        str,
        typer.Argument(help="A name such as guards:5, or a file of success rates: attacks by defences."),
    ],
    solver: Annotated[
        str | None,
        typer.Option(help="A solver for the pair, such as Turns(INPO, MMD) (default EGPO)."),
    ] = None,
    attacker: Annotated[str | None, typer.Option(help="A solver for the attacker alone.")] = None,
    defender: Annotated[str | None, typer.Option(help="A solver for the defender alone.")] = None,
    attack: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds in a row that the attacker trains (default: both at once)."),
    ] = None,
    defend: Annotated[
        int | None, typer.Option(min=1, help="Rounds in a row that the defender trains.")
    ] = None,
    tau: Annotated[
        float | None, typer.Option(help="Weight of the KL to the reference, at least 0 (default 0.1).")
    ] = None,
    eta: Annotated[float | None, typer.Option(help="Step size, above 0 (default 0.5).")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds.")] = 1000,
    prompts: Annotated[
        bool, typer.Option(help="Rows are prompts, and the defender answers each one independently.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Run an attacker against a defender and compare them with the exact pair."""
    from pgames.cli.adversary import chosen_solver, outcome, play, print_outcome
    from pgames.cli.arguments import parse_roles, parse_solver

    chosen = chosen_solver(
        solver, (attacker, defender), (attack, defend), lambda text: parse_solver(text, tau, eta)
    )
    source = parse_roles(game, prompts)
    found = outcome(game, source, chosen, play(source, chosen, rounds))
    if as_json:
        print(json.dumps(dataclasses.asdict(found), indent=2, allow_nan=False))
    else:
        print_outcome(found)


def _said(error: Exception) -> str:
    """What an error says, that of the system with its file first and a remedy."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.filename is None:  # files are named by those who write them
        return f"the output could not be written: {error.strerror}."
    remedies = {
        errno.EACCES: "give yourself the right to it, or name another place",
        errno.EROFS: "name another place",
        errno.ENOSPC: "free space there, or name another place",
        errno.EDQUOT: "free space there, or name another place",
        errno.EFBIG: "raise the limit on the size of files, ulimit -f",
    }
    remedy = remedies.get(error.errno or 0, "check the path")
    return f"{os.fsdecode(error.filename)}: {error.strerror}; {remedy}."


def _check_figure(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"a figure is written as .png, .svg or .pdf, got {str(path)!r}: change its ending.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and a file is needed: name another --plot.")
    need("matplotlib", "plot")


@app.command(short_help="Audit votes and rate their items: a page and JSON.")
def report(
    votes: Annotated[
        Path, typer.Argument(help="Votes: .csv, .tsv, .jsonl, .json or .parquet, one comparison per row.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")],
    left: Annotated[
        str | None, typer.Option(help="Column of the first item (default: left or model_a).")
    ] = None,
    right: Annotated[
        str | None, typer.Option(help="Column of the second item (default: right or model_b).")
    ] = None,
    winner: Annotated[
        str | None, typer.Option(help="Column of the winner: a side, a tie or a name (default: winner).")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Column of the prompt (default: prompt, where there is one).")
    ] = None,
    no_prompt: NoPrompt = False,
    drop: Drop = False,
    annotator: Annotated[
        str | None,
        typer.Option(help="Column of who cast the vote (default: annotator, judge, voter, ...)."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(help="Column of the time: a number or ISO 8601 (default: time, timestamp, ...)."),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column of the weights of votes (default: all alike).")
    ] = None,
    anchor: Annotated[
        str | None, typer.Option(help="Item at 0 of the Bradley-Terry scale (default: the mean).")
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=2, help="Resamples behind every interval.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resamples.")] = 0,
) -> None:
    """Analyse votes: an audit, ratings, Nash mixture and cycles, as a page and JSON."""
    from pgames.cli.notes import print_notes, read_quietly
    from pgames.folders import held
    from pgames.report.analyse import analyse
    from pgames.report.writing import write_numbers
    from pgames.votes.beside import read_beside

    need("matplotlib", "plot")
    table = read_quietly(votes, left, right, winner, _prompt_column(prompt, no_prompt), drop)
    beside = read_beside(votes, table, annotator, time, weight)
    with held(out) as folder:
        found = analyse(table, bootstrap, seed, anchor, beside.weight, beside.annotator, beside.time)
        page, numbers = write_numbers(found, folder, votes.name)
    print_notes([table.recognised, *table.notes, *beside.notes, *found.warnings])
    print(f"page: {page}\nnumbers: {numbers}")


def _prompt_column(prompt: str | None, no_prompt: bool) -> str | Literal[False] | None:
    if prompt is not None and no_prompt:
        raise ValueError("--prompt and --no-prompt contradict each other: pass one of them.")
    return False if no_prompt else prompt


app.command(short_help="Measure the regret of learners that see only duels.")(regret)
app.command(short_help="Rate matches, or play a league of solvers and rate it.")(league)


@app.command(short_help="Print the coefficients of the round of each solver.")
def families() -> None:
    """Print the coefficients of the round of each solver, traced from its code."""
    from rich.console import Console

    from pgames.tracing.tableau import family_table

    # in a file or a pipe, wide enough not to wrap
    Console(width=None if sys.stdout.isatty() else 160).print(family_table())
