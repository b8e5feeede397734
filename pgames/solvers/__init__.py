"""Solvers, written in the verbs of `pgames.arena`; their fields are the hyper-parameters."""
