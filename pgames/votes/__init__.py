"""Votes of people: read from files, counted, turned into a game."""
