"""Tree search over responses: which of them the judge is asked about, and what a policy learns from that."""
