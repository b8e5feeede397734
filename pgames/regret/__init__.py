"""Regret of learners from duels: simulation over seeds, curves, slopes and growth."""
