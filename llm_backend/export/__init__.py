"""Policies leave: a plain model folder, or an adapter folder for PEFT and vLLM, each with a model card."""

from llm_backend.export.adapters import write_peft
from llm_backend.export.card import Card
from llm_backend.export.merged import merge

__all__ = ["Card", "merge", "write_peft"]
