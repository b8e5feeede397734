"""The password game: an attacker makes a defender say a word that its system text forbids."""

from llm_backend.password.game import fixed, leaks, new_seeds, secret_of, seeds, spelled

__all__ = ["fixed", "leaks", "new_seeds", "secret_of", "seeds", "spelled"]
