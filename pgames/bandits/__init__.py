"""Dueling bandits, with the kernels that play many of their rounds at once."""
