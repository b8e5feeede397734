"""Tracing: a solver of two verbs becomes a table of coefficients, to print or to run in one kernel."""
