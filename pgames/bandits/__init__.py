"""Dueling bandits, with kernels that play many rounds in one call."""
