"""What each verb means on text: draw, judge, and say what a fit has to do."""
