"""Runs from a file: configuration, the loop, checkpoints, logs."""

from llm_backend.runs.loop import run

__all__ = ["run"]
