"""Training runs from a file: configuration, loop, checkpoints and logs."""

from llm_backend.runs.loop import run

__all__ = ["run"]
