"""Policy handles."""
