"""The command line: `python -m llm_backend run.toml [--tiny] [--resume]`.

Exit codes: 0 finished; 2 a configuration that cannot be run; 1 a run that failed; 130 stopped by Ctrl-C. One
line on the standard error gives the reason. If one of several processes fails, all end and only that one
prints its line. Finished rounds stay on the disk.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from llm_backend import absent

FILES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}  # a full disk, or a folder without permission
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    config: Annotated[Path, typer.Argument(help="A .toml file, such as llm_backend/recipes/inpo.toml.")],
    tiny: Annotated[bool, typer.Option("--tiny", help="At a toy's scale: seconds on a CPU.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last complete round.")] = False,
) -> None:
    """Play preference games with a language model."""
    try:
        _play(config, tiny, resume)
    except KeyboardInterrupt:
        _exit_with("stopped; finished rounds are kept, and --resume continues from them.", 130)
    except ModuleNotFoundError as error:
        _exit_with(absent(error), 2)


def _play(config: Path, tiny: bool, resume: bool) -> None:
    from llm_backend.judges import JudgeError
    from llm_backend.processes.workers import lost, workers
    from llm_backend.runs.errors import ConfigError, OutOfMemory
    from llm_backend.runs.loop import run

    try:
        done = run(config, tiny=tiny, resume=resume)
    except ConfigError as error:
        _exit_with(error, 2)
    except (OutOfMemory, JudgeError, FloatingPointError, ValueError) as error:
        _exit_with(error, 1)
    except OSError as error:
        hint = " Free space or permit writing; --resume continues from there." if error.errno in FILES else ""
        _exit_with(f"{error}.{hint}" if hint else error, 1)
    except RuntimeError as error:
        if not lost(error):
            raise
        _exit_with(f"another process has ended ({error}); --resume continues from the last round.", 1)
    else:
        if workers().first:
            print(f"{done.state.t} rounds in {done.folder}: log.jsonl, rounds/{done.state.t:05d}")
        workers().leave()


def _exit_with(why: object, code: int) -> None:
    module = sys.modules.get("llm_backend.processes.workers")  # absent when Ctrl-C comes during the imports
    if module is None or module.workers().speaks():  # of several processes, the first that fails
        print(f"llm_backend: {' '.join(str(why).split())}", file=sys.stderr)
    raise typer.Exit(code) from None


if __name__ == "__main__":
    app(prog_name="python -m llm_backend")
