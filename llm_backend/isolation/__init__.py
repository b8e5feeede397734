"""Programs of a model, run in a process of their own and tested from another: `judges.passes` builds on it.

Nothing outside the standard library is imported here: an interpreter without site-packages runs these files.
"""
