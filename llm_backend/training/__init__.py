"""How a policy is fitted to what was judged."""
