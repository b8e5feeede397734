"""python -m pgames."""

from pgames.cli.app import main

main()
