"""Learning a game from duels: the arena that only answers duels, beliefs, regret over many seeds."""
