"""The command line: `pgames demo`, `solve`, `adversary`, `report`, `regret`, `league`, `families`."""

import os
import sys
from contextlib import suppress

from pgames.extras import need


def main() -> None:
    """Run the command line; without typer or rich, print the extra that installs them.

    Modules in the working directory can be named as package.module:Class. Raises SystemExit with the exit
    code.
    """
    try:
        need("typer", "votes")
        need("rich", "votes")
    except ModuleNotFoundError as error:
        print(f"pgames: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    from pgames.cli.app import app
    from pgames.terminal import end_in_order, prepare

    prepare()
    end_in_order()
    if sys.stdout is None:  # a file opened next would take its number, and the output would go there
        print("pgames: the standard output is closed: send it to a file, or to /dev/null.", file=sys.stderr)
        raise SystemExit(2)

    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        try:
            app(prog_name="pgames")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        _drop_output()
        raise SystemExit(1) from None
    except OSError as error:
        print(f"pgames: the output could not be written: {error.strerror or error}.", file=sys.stderr)
        _drop_output()
        raise SystemExit(2) from None


def _drop_output() -> None:
    """Let what is left of the output go nowhere, where Python would try to write it again at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
