"""Readable loops: what the checked runner does, without the checks."""
