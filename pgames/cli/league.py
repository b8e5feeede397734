"""`pgames league`: rate a file of results, or play a league of solvers on a game and rate it."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from pgames.cli.notes import Drop, NoPrompt
from pgames.folders import held


def league(
    results: Annotated[
        Path | None,
        typer.Argument(
            help="Results to rate: .csv, .jsonl or .parquet, one match per row (left, right, winner)."
        ),
    ] = None,
    solver: Annotated[
        list[str] | None,
        typer.Option(help="A member that learns, such as INPO or MMD:tau=0.05; give it several times."),
    ] = None,
    game: Annotated[
        str, typer.Option(help="The game that the solvers play: a name such as disc_and_skill:60, or a file.")
    ] = "disc_and_skill:60",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that the members learn.")] = 100,
    games: Annotated[
        int, typer.Option(min=1, help="Matches per round, and 10 times as many at the end.")
    ] = 100,
    match: Annotated[
        str, typer.Option(help="Matchmaker: Everybody, Hard(2), Even, Capped or Near.")
    ] = "Hard",
    k: Annotated[float, typer.Option(help="Step of online Elo, above 0.")] = 16.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the matches.")] = 0,
    no_prompt: NoPrompt = False,
    drop: Drop = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for league.json, and for results.csv of a league that is played."),
    ] = None,
) -> None:
    """Rate a file of results, or play a league of solvers on a game and rate it."""
    from pgames.cli.arguments import parse_source
    from pgames.cli.league_output import print_board, written
    from pgames.cli.league_play import play
    from pgames.cli.notes import print_notes
    from pgames.cli.results import read_results
    from pgames.ratings.leaderboard import leaderboard

    members = solver or []
    _check_one(results, members)
    with nullcontext() if out is None else held(out):
        if results is not None:
            votes, notes = read_results(results, drop, not no_prompt)
            print_notes(notes)
            board = leaderboard(votes, k)
            print_board(str(results), board, None)
            _save(out, written(board, None, {"results": str(results), "source": list(notes)}))
            return
        source = parse_source(game, prompts=not no_prompt, drop=drop)
        print_notes(source.notes)
        played = play(members, source.game, rounds, games, match, seed)
        board = leaderboard(played.final, k)
        print_board(f"{game}, {rounds} rounds, {match}", board, played.exact(k))
        if out is not None:
            played.write(out / "results.csv")
        configuration: dict[str, Any] = {
            "game": game,
            "source": list(source.notes),
            "rounds": rounds,
            "match": match,
            "seed": seed,
        }
        _save(out, written(board, played.exact(k), configuration))


def _check_one(results: Path | None, members: list[str]) -> None:
    if (results is None) == (not members):
        raise ValueError(
            "pass a file of results to rate, or --solver for each member of a league to play, not both: "
            "pgames league results.csv, or pgames league --solver INPO --solver SPPO."
        )


def _save(out: Path | None, content: dict[str, Any]) -> None:
    if out is None:
        return
    from pgames.files import atomic

    with atomic(out / "league.json", "w") as file:
        json.dump(content, file, indent=2, allow_nan=False)
    print(f"data: {out}", file=sys.stdout)
