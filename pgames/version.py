"""The version of pgames, in a module that every room may import."""

__version__ = "0.1.0"
