"""Grids of simulations over processes, resumed from disk after any stop."""
