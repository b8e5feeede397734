"""The command line: `python -m llm_backend run.toml [--tiny] [--resume]`.

Exit codes: 0 done; 2 a configuration that cannot be run; 1 a run that failed; 130 stopped by Ctrl-C. One line
on the standard error says why, also of several processes: one that fails ends all. What was finished stays on
the disk.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from llm_backend import absent

FILES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}  # a full or a closed folder
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    config: Annotated[Path, typer.Argument(help="A .toml file, such as llm_backend/recipes/inpo.toml.")],
    tiny: Annotated[bool, typer.Option("--tiny", help="At a toy's scale: seconds on a CPU.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last whole round.")] = False,
) -> None:
    """Play preference games with a language model."""
    try:
        _play(config, tiny, resume)
    except KeyboardInterrupt:
        _leave("stopped; what was finished is kept, --resume goes on from there.", 130)
    except ModuleNotFoundError as error:
        _leave(absent(error), 2)


def _play(config: Path, tiny: bool, resume: bool) -> None:
    from llm_backend.judges import JudgeError
    from llm_backend.processes.workers import lost, workers
    from llm_backend.runs.errors import ConfigError, OutOfMemory
    from llm_backend.runs.loop import run

    try:
        done = run(config, tiny=tiny, resume=resume)
    except ConfigError as error:
        _leave(error, 2)
    except (OutOfMemory, JudgeError, FloatingPointError, ValueError) as error:
        _leave(error, 1)
    except OSError as error:
        hint = (
            " Make room or let it be written to; --resume goes on from there." if error.errno in FILES else ""
        )
        _leave(f"{error}.{hint}" if hint else error, 1)
    except RuntimeError as error:
        if not lost(error):
            raise
        _leave(f"another process has ended ({error}); --resume goes on from the last round.", 1)
    else:
        if workers().first:
            print(f"{done.state.t} rounds in {done.folder}: log.jsonl, rounds/{done.state.t:05d}")
        workers().leave()


def _leave(why: object, code: int) -> None:
    module = sys.modules.get("llm_backend.processes.workers")  # not there yet: Ctrl-C in the imports
    if module is None or module.workers().speaks():  # of several processes the first that fails
        print(f"llm_backend: {' '.join(str(why).split())}", file=sys.stderr)
    raise typer.Exit(code) from None


if __name__ == "__main__":
    app(prog_name="python -m llm_backend")
