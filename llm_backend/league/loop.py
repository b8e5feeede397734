"""The loop of a league: rounds that are measured, logged and checkpointed, and a page that shows them.

A league's folder holds config.json, log.jsonl, judge.jsonl (the judge's answers), draws/ (responses of the
round under way), meetings/NNNNN.json (who beat whom on which prompt), rounds/NNNNN/ (the members) and
page.html (the state after the last round, and at the end the whole league). Randomness is a function of
(seed, round, member), so a killed league continues from its last complete round and repeats the lost one bit
for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.league import distance, ratings, state
from llm_backend.league.final import finish
from llm_backend.league.ground import Ground, ground, told
from llm_backend.league.live import write_live
from llm_backend.league.page import write_page
from llm_backend.league.players import Pool
from llm_backend.league.round import Played, answer, play
from llm_backend.league.settings import LeagueConfiguration
from llm_backend.runs.folder import check_folder
from llm_backend.runs.lock import held
from llm_backend.runs.logs import Row, rows
from llm_backend.runs.memory import enough_memory
from llm_backend.runs.meter import Meter
from llm_backend.runs.report import reporting


class Finished(NamedTuple):
    """The members of a league after its last round, the rows of its log, its parts and its folder."""

    pool: Pool
    rows: list[Row]
    ground: Ground
    folder: Path


def run(config: LeagueConfiguration, tiny: bool = False, resume: bool = False) -> Finished:
    """Play a league to its end.

    Parameters
    ----------
    tiny : the same league at a toy's scale, without other bases and outside players.
    resume : continue from the last intact checkpoint in the folder, if there is one.

    Raises ConfigError naming the key for a league that cannot be played, or that differs from the one in its
    folder; OutOfMemory naming the setting to lower; JudgeError and PlayerError when a judge or an outside
    player fails. Ctrl-C raises KeyboardInterrupt and keeps the last round.
    """
    config = config.tiny() if tiny else config
    folder, meter = Path(config.run.out), Meter()
    with held(folder), enough_memory(meter):
        check_folder(folder, config, resume)
        land = ground(config, folder)
        pool = state.restored(land, folder)
        title = f"League of {len(config.league.members)}"
        with reporting(config, title, folder, pool.t, True) as report:
            for line in told(land):
                report.tell(line)
            meter.say = report.phase
            metered = land.metered(meter)
            while pool.t < config.run.rounds:
                played = play(metered, pool, folder, meter)
                row = _row(metered, played, meter)
                report.log(row)
                pool = played.pool
                with meter.measure("checkpoint"):
                    if config.evaluate.page:
                        log = rows(folder / "log.jsonl")
                        write_live(folder, land, played.rated, pool, log)
                    state.save(land, pool, folder)
                report.show(row)
                for line in played.events:
                    report.tell(line)
                if pool.t > 1 and (line := distance.collapse(played.apart)) is not None:
                    report.tell(line)
            if config.evaluate.page:
                report.phase("page")
                log = rows(folder / "log.jsonl")
                write_page(folder, land, pool, log, finish(land, pool, config.evaluate))
    return Finished(pool, rows(folder / "log.jsonl"), land, folder)


def _row(land: Ground, played: Played, meter: Meter) -> Row:
    """The row of the log: the leaderboard of the members that met, before their fits."""
    weights = answer(land, played.rated)
    table = ratings.row(ratings.standings(played.rated, weights))
    journals = [note for home in land.homes for note in home.arena.journal]
    row: dict[str, Any] = {"round": played.pool.t, "processes": 1, **meter.row(journals)}
    if played.apart is not None:
        row["distance"] = played.apart
    row["games"] = 0 if played.results is None else len(played.results.games.won)
    row["leaderboard"] = table
    row["events"] = played.events
    return {**row, "seconds": meter.clear()}
