"""Solvers: each one a sentence in the verbs of `pgames.arena`, its fields the hyper-parameters."""
