"""Several processes on one run, and sharded weights."""
