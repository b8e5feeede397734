"""Task: the model, the responses and the loss of one fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from llm_backend.fits.objectives import Objective
from llm_backend.fits.passes import passes
from llm_backend.fits.settings import SAMPLED, Fit
from llm_backend.models.by_row import Record
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import TokenLogProbs, token_logprobs
from llm_backend.models.memory import rows_that_fit
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Floats, Ints, by_prompt


@dataclass(frozen=True, eq=False)
class Task:
    """The model, the responses and the loss of one fit.

    lm : the language model whose active slot is trained.
    objective : the loss and its responses.
    prompts : the tokens of X prompts, which `objective.draws.prompt` indexes.
    how : the settings.
    temperature : of the log-probabilities that are trained.
    key : the order of the prompts is a function of it alone.
    shortest : stop tokens are forbidden before this many tokens.
    per_token : responses have the mean log-probability of their tokens.
    tolerance : the share of the loss at which a Gauss-Newton fit ends.
    """

    lm: LanguageModel
    objective: Objective
    prompts: Sequence[list[int]]
    how: Fit
    temperature: float = 1.0
    key: Sequence[int] = (0,)
    shortest: int = 0
    per_token: bool = False
    tolerance: float = SAMPLED

    def groups(self) -> dict[int, Ints]:
        """The rows int64[...] of every prompt that has some."""
        every = by_prompt(self.objective.draws, len(self.prompts))
        return {x: rows for x, rows in enumerate(every) if len(rows)}

    def tokens(self, rows: Sequence[int] | Ints) -> int:
        """The number of tokens of the rows int64[B], with those of their prompts."""
        draws = self.objective.draws
        return sum(len(draws.tokens[i]) + len(self.prompts[int(draws.prompt[i])]) for i in rows)

    def at_once(self, training: bool) -> int:
        """The rows of a pass: `how.rows`, or fewer where memory asks for it."""
        draws = self.objective.draws
        sizes = [len(self.prompts[x]) + len(row) for x, row in zip(draws.prompt, draws.tokens, strict=True)]
        return min(self.how.rows, rows_that_fit(self.lm, max(sizes), training))

    def logprobs(
        self, rows: Sequence[int] | Ints, share: bool = False, record: Record | None = None
    ) -> TokenLogProbs:
        """log pi of the tokens of the rows int64[B] under the active slot: float32[B, L].

        With `per_token`, each is divided by the number of tokens of its row. `share` and `record` are those
        of `token_logprobs`.
        """
        draws = self.objective.draws
        asked = [self.prompts[int(draws.prompt[i])] for i in rows]
        answers = [draws.tokens[i] for i in rows]
        values, mask = token_logprobs(self.lm, asked, answers, self.temperature, self.shortest, share, record)
        if self.per_token:
            values = values / mask.sum(dim=1, keepdim=True)
        return TokenLogProbs(values, mask)

    @torch.no_grad()
    def totals(self, groups: Sequence[Ints]) -> Floats:
        """log pi of the responses of some prompts, float64[B], from all processes."""
        us, found = workers(), []
        mine = list(us.mine(groups))
        for rows, counts in us.in_step(list(passes(mine, self.at_once(False))), groups[0]):
            values = self.logprobs(rows, share=True).values.double().sum(dim=1).cpu().numpy()
            found.append(values if counts else values[:0])
        parts = np.split(np.concatenate(found), np.cumsum([len(rows) for rows in mine])[:-1])
        return np.concatenate(us.gathered(parts[: len(mine)]))
