"""The report of a file of votes: statistics, figures and one HTML page."""
