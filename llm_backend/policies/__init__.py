"""Policies as handles: names of weights, and formulas of them."""
