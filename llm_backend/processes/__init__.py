"""Several processes on one run, and weights in shares."""
