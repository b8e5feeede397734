"""The command `vote`: open the source and the votes, serve the page, and say at the end what came in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from llm_backend.people.agreement import summary
from llm_backend.people.ballot import Ballot
from llm_backend.people.sources import open_source
from pgames.extras import need


def serve(
    paths: Sequence[Path],
    votes: Path | None,
    columns: tuple[str, str],
    repeat: float,
    port: int,
    seed: int,
) -> list[str]:
    """Serve the page until Ctrl-C; returns lines on the votes.

    Raises ValueError when a source, a file or an argument cannot be used, and ModuleNotFoundError without
    the packages of the extra `people`.
    """
    for package in ("starlette", "uvicorn"):
        need(package, "people")
    from llm_backend.people.server import Page, held

    if votes is not None and votes.suffix != ".jsonl":
        raise ValueError(f"--votes {votes}: votes are JSON lines, name a file .jsonl.")
    place = open_source(paths, *columns, votes)
    with held(place.votes):
        ballot = Ballot(place.source, place.votes, repeat, seed)
        page = Page(ballot, port)
        asked = place.source.asked()
        cut = [file.path for file in (ballot.votes, ballot.repeats) if file.cut]
        for line in (
            *asked.told,
            *(f"{path}: the last line was cut by a kill and is removed." for path in cut),
            f"{len(asked.questions)} pairs; {len(ballot.votes.votes)} votes so far in {place.votes}.",
            f"Vote at {page.address} (on this machine alone; Ctrl-C ends).",
        ):
            print(line, file=sys.stderr, flush=True)
        try:
            page.serve()
        except KeyboardInterrupt:
            pass
        told = summary(ballot.votes.votes, ballot.repeats.votes)
        return [*told, f"{len(ballot.votes.votes)} votes: pgames report {place.votes}"]
