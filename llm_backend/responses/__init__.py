"""Responses: drawn by a batched decoding loop, from a list or by a server, scored, kept."""
