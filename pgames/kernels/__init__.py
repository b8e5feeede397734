"""Compiled loops of the verbs: serial, without the GIL, the same bits however many runs there are."""
