"""Games of two roles: an attacker and a defender, each with strategies of its own."""
