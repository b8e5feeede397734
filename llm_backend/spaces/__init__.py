"""Spaces: the responses to some prompts, free or listed, and decorators that record, meter and share them."""
