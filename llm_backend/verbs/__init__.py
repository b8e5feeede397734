"""The verbs on text, each a function of a `Context`: draw, judge, and describe the fit."""
