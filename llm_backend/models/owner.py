"""Each Hugging Face model serves one LanguageModel, which changes it."""

from __future__ import annotations

import weakref
from typing import Any

from llm_backend.weights.merged import unload

OWNER: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()  # of a model


def own(model: Any, owner: object) -> None:
    """Make `owner` the only LanguageModel of a model; what one that is gone left in it is taken out.

    Raises ValueError for a model that another LanguageModel has, or for a PEFT wrapper of it.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if inner in OWNER:
        if OWNER[inner]() is not None:
            raise ValueError(
                f"this {type(inner).__name__} is the base of another LanguageModel, whose policies are in "
                "it: use that one, or load the model again."
            )
        unload(inner, merge=False)
    OWNER[inner] = weakref.ref(owner)
