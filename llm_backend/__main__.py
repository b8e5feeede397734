"""The command line: `python -m llm_backend run.toml [--tiny] [--resume]`, and further commands by name.

Exit codes: 0 finished; 2 a configuration that cannot be run; 1 a run that failed; 130 stopped by Ctrl-C. One
line on the standard error gives the reason. If one of several processes fails, all end and only that one
prints its line. Finished rounds stay on the disk.
"""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from llm_backend import absent
from pgames.terminal import one_line, prepare

FILES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}  # full, or not permitted
RESUME = "Free space or permit writing; --resume continues from there."
HELP = ("--help", "-h")


class Commands(TyperGroup):
    """Commands by name; anything else is the file of a run, so `run` need not be written."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """The arguments, with `run` before those that name no command."""
        if args and args[0] not in {*self.commands, *HELP}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Play preference games with a language model: `python -m llm_backend run.toml`.",
)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="A .toml file, such as llm_backend/recipes/inpo.toml.")],
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Use a toy model, toy prompts and a toy judge: seconds on a CPU.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last complete round.")] = False,
    device: Annotated[
        str, typer.Option("--device", help="Device in place of the file's, such as cuda.")
    ] = "",
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the cost, estimated from a few prompts, and stop.")
    ] = False,
) -> None:
    """Play the training run or the league that a file describes. The word `run` may be left out."""
    with _explained():
        from llm_backend.league import settings
        from llm_backend.processes.workers import workers
        from llm_backend.runs.loop import configured, run

        read = settings.read(config)
        read = read.on(device) if device else read
        if isinstance(read, settings.LeagueConfiguration):
            from llm_backend.league.loop import run as play
            from llm_backend.league.plan import plan as of_league

            if plan:
                print("\n".join(of_league(read.tiny() if tiny else read).lines()))
                return
            league = play(read, tiny=tiny, resume=resume)
            print(f"{league.pool.t} rounds of {len(league.pool.members)} members in {league.folder}")
            if (page := league.folder / "page.html").is_file():
                print(page)
            return
        if plan:
            from llm_backend.runs.plan import plan as planned

            print("\n".join(planned(configured(read, tiny)).lines()))
            return
        done = run(read, tiny=tiny, resume=resume)
        if workers().first:
            print(f"{done.state.t} rounds in {done.folder}: log.jsonl, rounds/{done.state.t:05d}")
            if (page := done.folder / "page.html").is_file():
                print(page)
        workers().leave()


@app.command(short_help="Draw the curves of runs side by side.")
def plot(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .html for a page; .png, .svg or .pdf for an image.")
    ] = Path("runs.html"),
) -> None:
    """Draw the curves of runs side by side, as an image or a self-contained page."""
    with _explained():
        from llm_backend.runs.plot import write_curves

        write_curves(runs, out)
        print(out)


@app.command(short_help="Write a trained policy as a Hugging Face model.")
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    to: Annotated[Path, typer.Option("--to", help="A new folder for the policy of the last round.")],
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Write the adapter alone, for PEFT and vLLM.")
    ] = False,
    attacker: Annotated[
        bool, typer.Option("--attacker", help="In a run of two roles, write the attacker.")
    ] = False,
    member: Annotated[
        str, typer.Option("--member", help="In a league, the member whose policy is written.")
    ] = "",
) -> None:
    """Write the policy of a run, or of a member of a league, as a Hugging Face model with a model card."""
    with _explained("Free space or permit writing, and export again; no half folder is left."):
        from llm_backend.league.export import export_member, is_league
        from llm_backend.runs.errors import ConfigError
        from llm_backend.runs.export import export_run

        if is_league(run) and attacker:
            raise ConfigError(f"--attacker: {run} is a league; name a member with --member.")
        if is_league(run):
            print(export_member(run, to, member, adapter))
            return
        if member:
            raise ConfigError(f"--member {member}: {run} is no league, leave it out.")
        print(export_run(run, to, adapter, "attacker" if attacker else "defender"))


@app.command(short_help="Serve a page on which people compare replies.")
def vote(
    source: Annotated[
        list[Path],
        typer.Argument(help="A file of pairs, several files of answers, or the folder of a run."),
    ],
    votes: Annotated[
        Path | None, typer.Option("--votes", help="File of votes, .jsonl (default: beside the source).")
    ] = None,
    first: Annotated[str, typer.Option("--first", help="Column of the first text of a pair.")] = "first",
    second: Annotated[str, typer.Option("--second", help="Column of the second text of a pair.")] = "second",
    repeat: Annotated[
        float, typer.Option("--repeat", help="Share of the shown pairs that are repeats, in [0, 1).")
    ] = 0.0,
    port: Annotated[int, typer.Option("--port", help="Port of the page; 0 takes a free one.")] = 8765,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the order of the pairs and of their sides.")
    ] = 0,
) -> None:
    """Serve a page on this machine on which people compare pairs of replies. Ctrl-C ends it."""
    with _explained("Free space or permit writing, and start again; votes are kept."):
        from llm_backend.people.serving import serve

        print("\n".join(serve(source, votes, (first, second), repeat, port, seed)))


@contextmanager
def _explained(hint: str = RESUME) -> Iterator[None]:
    """Turn an error of the block into one line and an exit code; `hint` is for a file that is not written."""
    try:
        with _told(hint):
            yield
    except KeyboardInterrupt:
        _exit_with("stopped; finished rounds are kept, and --resume continues from them.", 130)
    except ModuleNotFoundError as error:
        _exit_with(absent(error), 2)


@contextmanager
def _told(hint: str) -> Iterator[None]:
    from llm_backend.judges import JudgeError
    from llm_backend.processes.workers import lost
    from llm_backend.runs.errors import ConfigError, OutOfMemory

    try:
        with _told_in_lines():
            yield
    except ConfigError as error:
        _exit_with(error, 2)
    except (OutOfMemory, JudgeError, FloatingPointError, ValueError) as error:
        _exit_with(error, 1)
    except OSError as error:
        _exit_with(f"{error}. {hint}" if error.errno in FILES else error, 1)
    except RuntimeError as error:
        if not lost(error):
            raise
        _exit_with(f"another process has ended ({error}); --resume continues from the last round.", 1)


@contextmanager
def _told_in_lines() -> Iterator[None]:
    """Print the warnings of this package as a line each, without the place in the source."""
    usual = warnings.formatwarning

    def told(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if not issubclass(category, UserWarning) or issubclass(category, FutureWarning):
            return usual(message, category, filename, lineno, line)
        return f"llm_backend: {one_line(message)}\n"

    warnings.formatwarning = told
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _exit_with(why: object, code: int) -> None:
    module = sys.modules.get("llm_backend.processes.workers")  # absent when Ctrl-C comes during the imports
    if module is None or module.workers().speaks():  # of several processes, the first that fails
        print(f"llm_backend: {one_line(why)}", file=sys.stderr)
    raise typer.Exit(code) from None


if __name__ == "__main__":
    prepare()
    app(prog_name="python -m llm_backend")
