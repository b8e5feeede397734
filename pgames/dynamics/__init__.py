"""The map of a solver's round near its fixed point, and where its rounds end."""
