"""Play with free responses on a toy."""

import numpy as np

from llm_backend import Fit, TextArena


class MoreOfA:
    """The response with more a's is likelier to win."""

    as_is = True

    def prefer(self, prompts, firsts, seconds):
        lead = [x.split().count("a") - y.split().count("a") for x, y in zip(firsts, seconds, strict=True)]
        return 1 / (1 + np.exp(-np.array(lead, dtype=np.float64)))


def free_arena(lm, **options):
    how = Fit(epochs=4, lr=1e-2)
    return TextArena(lm, ["a", "b c"], MoreOfA(), samples=4, max_new_tokens=4, fit=how, **options)
