"""Engines: what draws responses of a policy, in this process or on a server."""
