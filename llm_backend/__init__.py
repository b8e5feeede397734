"""The language-model arena of pgames: the same solvers, on a Hugging Face causal language model.

from llm_backend import LanguageModel, TextArena, judges

lm = LanguageModel.from_pretrained("path-or-name", lora=64)
arena = TextArena(lm, prompts, judge, samples=8)
state = pgames.solve(pgames.EGPO(tau=0.1, eta=1.0), arena, rounds=30)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_backend import judges
    from llm_backend.arena import TextArena
    from llm_backend.fits.fit import Fit
    from llm_backend.models.language_model import LanguageModel
    from llm_backend.search.arena import Searched

__all__ = ["Fit", "LanguageModel", "Searched", "TextArena", "judges"]

HOMES = {
    "Fit": "llm_backend.fits.fit",
    "LanguageModel": "llm_backend.models.language_model",
    "Searched": "llm_backend.search.arena",
    "TextArena": "llm_backend.arena",
}


def __getattr__(name: str) -> Any:
    """Public names, imported on first use: importing torch takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'llm_backend' has no attribute {name!r}")
    try:
        if name == "judges":
            return importlib.import_module("llm_backend.judges")
        return getattr(importlib.import_module(HOMES[name]), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(absent(error), name=error.name) from None


def absent(error: ModuleNotFoundError) -> str:
    """The error line for a missing package; a plain `pip install pgames` does not install torch."""
    if "pip install 'pgames[" in str(error):
        return str(error)  # it names the extra of the package
    return f"llm_backend needs {error.name}: pip install 'pgames[llm]' brings it."


def __dir__() -> list[str]:
    return __all__
