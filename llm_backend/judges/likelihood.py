"""LogProb: a causal language model as judge, by the likelihood of responses or by its answer A or B."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.data.reading import Reading, end_token
from llm_backend.data.templates import NO_CLOCK, Arguments, render
from llm_backend.data.tokens import encode_prompts, encode_responses, padded
from llm_backend.judges.base import JudgeError, Symmetrised, check_batch, excerpt, readable
from llm_backend.judges.names import digest, fingerprint
from llm_backend.judges.questions import check_question
from llm_backend.models.closeness import check_rows
from llm_backend.models.devices import usable_device
from llm_backend.models.huggingface import steady_context, stop_tokens
from llm_backend.models.loading import load_model, load_tokenizer
from pgames.numerics import sigmoid


class LogProb:
    """Prefers the response that a causal language model makes likelier, or that it names when asked.

    Without `question`: P(first > second) = sigmoid(l(first) - l(second)), l = log p(response, end | prompt),
    summed over tokens, or their mean with `per_token` (a sum favours short responses). The end is the token
    that ends a turn in the chat template, else EOS. A prompt of several messages is read as the conversation
    it is. With `question`, a
    format string with {prompt}, {first} and {second}: the probability that the next token is the first of
    `answers` rather than the second, averaged over both orders.

    Parameters
    ----------
    model, tokenizer : a separate AutoModelForCausalLM, not the one being trained. batch : texts per forward
        pass. chat : use the tokenizer's chat template. template_arguments : what the template takes beside
        the messages.

    Raises ValueError for a model whose logits of a row change with the rows beside it, batch < 1,
    `per_token` with a question, a question with another field, or answers that are not two single tokens.
    `prefer` raises JudgeError for a likelihood that is not finite and for a text that is too long.
    """

    as_is = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        question: str | None = None,
        answers: tuple[str, str] = ("A", "B"),
        per_token: bool = False,
        chat: bool = True,
        batch: int = 8,
        template_arguments: Arguments | None = None,
    ):
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        if question is not None and per_token:
            raise ValueError("LogProb: per_token is for likelihoods: leave out question or per_token.")
        self._model, self._tokenizer = model.eval(), tokenizer
        self._chat, self._per_token, self._batch = chat, per_token, batch
        self._longest = steady_context(model)
        self._arguments = template_arguments
        self._stops = stop_tokens(model, tokenizer.eos_token_id)
        reading = Reading(chat, template_arguments=template_arguments)
        self._end = end_token(tokenizer, reading, self._stops)
        example = render(tokenizer, "prompt", chat, None, template_arguments, NO_CLOCK)
        asked = digest(repr((example, question, answers, self._end)))
        self.name = f"LogProb({fingerprint(model)}, {asked}, {per_token})"
        check_rows(model, self._logits)
        self._both = None
        if question is not None:
            check_question("LogProb", question)
            self._both = Symmetrised(_Verdict(self, question, self._answer_tokens(answers)))

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        question: str | None = None,
        answers: tuple[str, str] = ("A", "B"),
        per_token: bool = False,
        chat: bool = True,
        batch: int = 8,
        dtype: str | torch.dtype = "auto",
        device: str | torch.device | None = None,
        template_arguments: Arguments | None = None,
    ) -> LogProb:
        """Load model and tokenizer from a folder or the hub (safetensors only), by default onto the GPU."""
        from transformers import AutoModelForCausalLM

        place = usable_device(device)
        model, _ = load_model(AutoModelForCausalLM, path, dtype)
        model, tokenizer = model.to(place), load_tokenizer(path)
        return cls(model, tokenizer, question, answers, per_token, chat, batch, template_arguments)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        if self._both is not None:
            return self._both.prefer(prompts, firsts, seconds)
        check_batch(prompts, firsts, seconds)
        both = self.scores([*prompts, *prompts], [*firsts, *seconds])
        return sigmoid(both[: len(prompts)] - both[len(prompts) :])

    def scores(self, prompts: Sequence[str], responses: Sequence[str]) -> NDArray[np.float64]:
        """log p(response, end | prompt) in nats, float64[B]; the mean over tokens with `per_token`."""
        pairs = list(dict.fromkeys(zip(prompts, responses, strict=True)))
        heads = self._heads([readable(x) for x, _ in pairs])
        said = [readable(y) for _, y in pairs]
        tails = encode_responses(self._tokenizer, said, heads, self._end, self._stops)
        known = {}
        for start in range(0, len(pairs), self._batch):
            block = slice(start, start + self._batch)
            values = self._log_probs(heads[block], tails[block])
            known.update(zip(pairs[block], values, strict=True))
        return np.array([known[pair] for pair in zip(prompts, responses, strict=True)])

    def _heads(self, prompts: Sequence[str]) -> list[list[int]]:
        return encode_prompts(self._tokenizer, prompts, self._chat, arguments=self._arguments)

    def _log_probs(self, heads: list[list[int]], tails: list[list[int]]) -> list[float]:
        rows = [head + tail for head, tail in zip(heads, tails, strict=True)]
        logits = self._logits(rows, max(map(len, tails)) + 1)[:, :-1]
        targets = padded(tails, 0, "left")
        chosen = logits.gather(2, targets[0].to(logits.device)[..., None])[..., 0] - logits.logsumexp(2)
        total = (chosen.double().cpu() * targets[1]).sum(1)
        if self._per_token:
            total /= targets[1].sum(1)
        return self._finite(total, rows)

    def _finite(self, values: torch.Tensor, rows: list[list[int]]) -> list[float]:
        for value, row in zip(values, rows, strict=True):
            if not torch.isfinite(value):
                text = excerpt(self._tokenizer.decode(row), 120)
                raise JudgeError(
                    f"{self.name} returned {value.item()} for {text}: check its weights, and load it in "
                    "bfloat16 or float32 if it overflows float16."
                )
        return values.tolist()

    @torch.no_grad()
    def _logits(self, rows: list[list[int]], keep: int) -> torch.Tensor:
        """Logits of the last `keep` positions, float32[B, keep, V]; left-padded, so rows end together."""
        longest = max(map(len, rows))
        if self._longest is not None and longest > self._longest:
            raise JudgeError(
                f"{self.name} cannot read {longest} tokens, only {self._longest}: lower max_new_tokens, "
                "shorten the prompt, or use a judge with a longer context."
            )
        ids, mask = padded(rows, rows[0][0], "left")  # any token: nothing attends to the padding
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        device = next(self._model.parameters()).device
        out = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            logits_to_keep=keep,
        )
        return out.logits.float()

    def _answer_tokens(self, answers: tuple[str, str]) -> tuple[int, int]:
        tokens = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in answers]
        if len(tokens) != 2 or any(len(row) != 1 for row in tokens) or tokens[0] == tokens[1]:
            raise ValueError(
                f"LogProb: answers must be two different single tokens, {answers} are {tokens}: pass others "
                "(with a leading space if the question ends without one)."
            )
        return tokens[0][0], tokens[1][0]


class _Verdict:
    """The probability of answer A rather than answer B, in the order given."""

    def __init__(self, judge: LogProb, question: str, tokens: tuple[int, int]):
        self.name, self._judge, self._question, self._tokens = judge.name, judge, question, tokens

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        judge = self._judge
        texts = [
            self._question.format(prompt=readable(x), first=readable(y), second=readable(z))
            for x, y, z in zip(prompts, firsts, seconds, strict=True)
        ]
        rows = judge._heads(texts)
        odds: list[float] = []
        for start in range(0, len(rows), judge._batch):
            some = rows[start : start + judge._batch]
            logits = judge._logits(some, 1)[:, 0].double().cpu()
            odds += judge._finite(logits[:, self._tokens[0]] - logits[:, self._tokens[1]], some)
        return sigmoid(np.array(odds))
