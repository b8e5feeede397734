"""Prompts: from files and data sets to the exact tokens a model sees."""

from llm_backend.data.prompts import Demonstration, Prompt, read_demonstrations, read_prompts
from llm_backend.data.templates import apply_template, render
from llm_backend.data.tokens import encode_prompts, encode_responses, pad_token, padded, tokenize

__all__ = [
    "Demonstration",
    "Prompt",
    "apply_template",
    "encode_prompts",
    "encode_responses",
    "pad_token",
    "padded",
    "read_demonstrations",
    "read_prompts",
    "render",
    "tokenize",
]
