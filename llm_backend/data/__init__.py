"""Prompts: from files and data sets to the exact tokens a model sees."""

from llm_backend.data.files import Demonstration, read_demonstrations, read_prompts
from llm_backend.data.pairs import Pair, prompts_of, read_pairs
from llm_backend.data.prompts import Conversation, Prompt, as_asked, checked, identity, messages_of
from llm_backend.data.reading import DataWarning, Reading, end_token
from llm_backend.data.templates import CLOCK, apply_template, render
from llm_backend.data.tokens import (
    decode,
    encode_after,
    encode_prompts,
    encode_responses,
    pad_token,
    padded,
    spelled,
    tokenize,
)

__all__ = [
    "CLOCK",
    "Conversation",
    "DataWarning",
    "Demonstration",
    "Pair",
    "Prompt",
    "Reading",
    "apply_template",
    "as_asked",
    "checked",
    "decode",
    "encode_after",
    "encode_prompts",
    "encode_responses",
    "end_token",
    "identity",
    "messages_of",
    "pad_token",
    "padded",
    "prompts_of",
    "read_demonstrations",
    "read_pairs",
    "read_prompts",
    "render",
    "spelled",
    "tokenize",
]
