"""Compiled loops of the verbs: serial, without the GIL, the same bits for any number of runs."""
