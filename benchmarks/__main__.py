"""Run every benchmark: `python -m benchmarks [--toy]`.

If one fails, the others still run; the failed ones are named at the end and the exit status is 1.
"""

import importlib
import sys
import traceback
from collections.abc import Sequence

from benchmarks.timing import toy_asked

BENCHMARKS = ("exact", "exact_list", "mirror", "ratings", "league", "players", "regret", "llm")


def main(names: Sequence[str] = BENCHMARKS, toy: bool = False) -> int:
    """The exit status: 0 if every benchmark ran, else 1."""
    failed = []
    for name in names:
        try:
            importlib.import_module(f"benchmarks.{name}").main(toy)
        except Exception:
            traceback.print_exc()
            failed.append(name)
    if failed:
        print(f"{len(failed)} of {len(names)} benchmarks failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(toy=toy_asked()))
