"""The command line: `pgames demo`, `solve`, `report`, `regret`, `families`, and the pages they write."""
