"""The command line: `pgames demo`, `solve`, `adversary`, `report`, `regret`, `league`, `families`."""

import os
import sys

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
    from pgames.terminal import prepare

    prepare()

    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    app(prog_name="pgames")
