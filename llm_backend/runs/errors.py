"""The errors that a run explains to its user, and the line in which it says something."""

from __future__ import annotations

import sys


class ConfigError(ValueError):
    """One line that names the key, its value and the allowed values."""


class OutOfMemory(RuntimeError):
    """The device or the host ran out of memory; the message names the setting to lower."""


def say(text: str) -> None:
    """Write a line to the standard error."""
    print(f"llm_backend: {text}", file=sys.stderr)
