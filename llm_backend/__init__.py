"""The language-model arena of pgames: the same solvers, on a Hugging Face causal language model.

from llm_backend import LanguageModel, TextArena, judges

lm = LanguageModel.from_pretrained("path-or-name", lora=64)
arena = TextArena(lm, prompts, judge, samples=8)
state = pgames.solve(pgames.EGPO(tau=0.1, eta=1.0), arena, rounds=30)
"""

from llm_backend import judges
from llm_backend.arena import TextArena
from llm_backend.policies.language_model import LanguageModel
from llm_backend.training.fit import Fit

__all__ = ["Fit", "LanguageModel", "TextArena", "judges"]
