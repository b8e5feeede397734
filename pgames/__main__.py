"""python -m pgames."""

from pgames.cli import main

main()
