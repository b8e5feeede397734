"""Speed, measured as ratios against a named peer or limit in one run."""
