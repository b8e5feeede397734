"""Policies as handles: names of weights, and formulas that combine them."""
