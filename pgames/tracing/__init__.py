"""A solver made of two verbs is a table of coefficients: trace it, print it, run it in one kernel."""
