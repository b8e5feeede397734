"""Sampling in this process: decoding with a key-value cache, several policies of one base in a batch."""
