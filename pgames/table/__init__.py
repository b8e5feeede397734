"""Tables: the arena of a known game, the arena that answers only duels, and beliefs."""
