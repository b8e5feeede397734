"""Votes of people: pairs of responses, the file of votes, and the page on which people compare."""
