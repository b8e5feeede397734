"""Tables: the arena of a known game, the arena of a game known only through duels, and beliefs."""
