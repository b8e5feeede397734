"""The two errors that a run explains to its user."""

from __future__ import annotations


class ConfigError(ValueError):
    """One line that names the key, its value and the allowed values."""


class OutOfMemory(RuntimeError):
    """The device or the host ran out of memory; the message names the setting to lower."""
