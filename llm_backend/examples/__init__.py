"""Readable loops that play the same rounds as the checked runner, without the checks."""
