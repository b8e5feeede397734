"""Engines draw responses of a policy, in this process or on a server."""
