"""Write the prompts to a file of lines: `python -m llm_backend.constraints prompts.jsonl [SEED]`."""

from __future__ import annotations

import json
import sys

from llm_backend.constraints.prompts import prompts
from pgames.files import atomic

if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3 or not all(text.isdigit() for text in sys.argv[2:]):
        sys.exit("usage: python -m llm_backend.constraints FILE.jsonl [SEED]")
    with atomic(sys.argv[1], "w") as file:
        file.writelines(json.dumps(row._asdict()) + "\n" for row in prompts(*map(int, sys.argv[2:])))
