"""Run every benchmark: `python -m benchmarks`."""

import importlib

for question in ("exact", "mirror", "ratings", "regret", "llm"):
    importlib.import_module(f"benchmarks.{question}").main()
