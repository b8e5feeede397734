"""Grids of simulations that survive kill -9."""
