"""`pgames regret`: simulate learners on a game, and write their regret as a table, a figure and data."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pgames import names
from pgames.cli.notes import Drop, NoPrompt
from pgames.extras import need
from pgames.folders import held

LONGEST = 120  # characters of the name of a file


def whole_number(text: str) -> int:
    """The integer in 10000, 1e4 or 10_000. Raises BadParameter when it is not whole or below 1."""
    try:
        number = float(text)
        if number != int(number) or number < 1:
            raise ValueError
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a whole number of at least 1, such as 1e4.") from None
    return int(number)


def regret(
    learner: Annotated[
        list[str],
        typer.Option(
            help="A name such as enpo or optimistic:optimism=0.3, or package.module:Class of your own; give "
            "it several times."
        ),
    ],
    game: Annotated[
        str,
        typer.Option(
            help="A name such as cyclic:5,p=0.9, or a file with a matrix or votes. Named games take --tau."
        ),
    ] = "hidden_rps",
    rounds: Annotated[
        int, typer.Option(parser=whole_number, metavar="T", help="Number of rounds, such as 1e6.")
    ] = 10_000,
    seeds: Annotated[int, typer.Option(parser=whole_number, metavar="S", help="Independent runs.")] = 100,
    tau: Annotated[
        float, typer.Option(help="Weight of the KL to the reference, for learners and for regret.")
    ] = 0.05,
    refresh: Annotated[
        float | None,
        typer.Option(help="Update when t has grown by this factor, such as 1.02 (default: every round)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all randomness.")] = 0,
    no_prompt: NoPrompt = False,
    drop: Drop = False,
    out: Annotated[Path, typer.Option(help="Folder for figure, table and data.")] = Path("results/regret"),
) -> None:
    """Simulate learners that know a game only from duels; write their regret as figure, table and data."""
    import pgames as pg
    from pgames.cli.arguments import parse_source
    from pgames.cli.notes import print_notes
    from pgames.cli.regret_output import Row, print_table, write_csv, write_json
    from pgames.plot import compare, save_figure
    from pgames.regret.simulate import check_refresh

    source = parse_source(_with_tau(game, tau), prompts=not no_prompt, drop=drop)
    print_notes(source.notes)
    table = source.game
    chosen = _chosen(learner, tau)
    if refresh is not None:
        check_refresh(refresh)
    pace = {text: refresh if _can_wait(one, table) else None for text, one in chosen.items()}
    if refresh is not None and (each := [text for text, every in pace.items() if every is None]):
        print(f"no lazy updates: {', '.join(each)}; --refresh is ignored there", file=sys.stderr)
    need("matplotlib", "plot")
    files = _file_names(chosen)
    title = f"{game}, tau = {tau:g}, {seeds} seeds"
    with held(out):
        rows: list[Row] = []
        for text, one in chosen.items():
            start = time.process_time()
            curve = pg.simulate(one, table, rounds, seeds, tau, pace[text], seed=seed)
            rows.append(Row(text, curve, pace[text], time.process_time() - start))
            curve.save(out / f"{files[text]}.npz")
            if curve.stopped:
                break
        save_figure(compare({row.name: row.curve for row in rows}, title=title), out / "regret.png")
        write_csv(out / "regret.csv", rows)
        write_json(
            out / "regret.json",
            rows,
            {"game": game, "source": list(source.notes), "tau": tau, "seeds": seeds, "seed": seed},
        )
    print_table(title, rows)
    print(f"figure, table and data: {out}")
    _raise_if(rows[-1].curve.stopped)


def _chosen(learners: list[str], tau: float) -> dict[str, Any]:
    from pgames.cli.arguments import parse_learner

    chosen = {text: parse_learner(text, tau) for text in learners}
    if len(chosen) < len(learners):
        raise ValueError(f"a learner is given twice, in {', '.join(learners)}: name each once.")
    return chosen


def _raise_if(stopped: bool) -> None:
    if stopped:
        raise KeyboardInterrupt


def _with_tau(game: str, tau: float) -> str:
    """The text with tau added (hidden_rps:tau=0.05) if the game has a tau that the text does not give."""
    from pgames.cli.calls import parse

    name, _, tail = game.partition(":")
    make = names.games().get(name.strip())
    if make is None or "tau" not in names.signature(make).parameters:
        return game
    call = parse(game, names.games())
    return game if call.values or "tau" in call.named else f"{name}:{tail}{',' if tail else ''}tau={tau!r}"


def _can_wait(learner: Any, game: Any) -> bool:
    """Whether one step may stand for two rounds."""
    from pgames.table.duels import DuelArena

    arena = DuelArena(game)
    return learner.step(arena.at(0, 2), learner.init(arena)).t == 2


def _file_names(texts: Iterable[str]) -> dict[str, str]:
    """A name for the file of each learner, by its text; names that would be alike are numbered."""
    found: dict[str, str] = {}
    for text in texts:
        base = name = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:LONGEST] or "learner"
        while name.lower() in (other.lower() for other in found.values()):
            name = f"{base}-{len(found) + 1}"
        found[text] = name
    return found
