"""Judges that are sequence classifiers: a Bradley-Terry reward model and a pairwise preference model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch  # a run's file is checked against these signatures
from numpy.typing import NDArray

from llm_backend.data.prompts import messages_of
from llm_backend.data.templates import CLOCK, NO_CLOCK, Arguments, Clock, apply_template, with_system
from llm_backend.judges.base import Symmetrised, check_batch, readable
from llm_backend.judges.classifier import Classifier, load_classifier
from llm_backend.judges.names import digest, fingerprint
from pgames.numerics import sigmoid

Template = Callable[..., str]  # texts -> the text that the model reads


class RewardModel:
    """Bradley-Terry: P(first > second) = sigmoid(score(first) - score(second)), from a one-label classifier.

    Parameters
    ----------
    model : an AutoModelForSequenceClassification with one label. tokenizer : the model's own.
    template : (prompt, response) -> text; by default the tokenizer's chat template of the conversation.
    system : text of a system message (chat template only). batch : texts per forward pass.
    template_arguments : what the chat template takes beside the messages.

    A prompt of several messages is read as the conversation it is. The judge is transitive by construction:
    it has no cycles. `prefer` and `scores` raise JudgeError for a score that is not finite and for a text
    longer than the model reads; nothing is truncated silently.
    """

    as_is = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        template: Template | None = None,
        system: str | None = None,
        batch: int = 16,
        template_arguments: Arguments | None = None,
    ):
        self._template, self._system, self._tokenizer = template, system, tokenizer
        self._arguments = template_arguments
        example = self._text("prompt", "response", NO_CLOCK)  # a name must not change with the day
        self.name = f"RewardModel({fingerprint(model)}, {digest(example)})"
        self._classifier = Classifier(self.name, model, tokenizer, template is not None, batch, labels=(1,))

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        template: Template | None = None,
        system: str | None = None,
        batch: int = 16,
        dtype: str | torch.dtype = "auto",
        device: str | torch.device | None = None,
        template_arguments: Arguments | None = None,
    ) -> RewardModel:
        """Load model and tokenizer from a folder or the hub (safetensors only), by default onto the GPU.

        Raises ValueError when the classifier's head would be random or has the wrong number of labels.
        """
        return cls(*load_classifier(path, dtype, device), template, system, batch, template_arguments)

    def scores(self, prompts: Sequence[str], responses: Sequence[str]) -> NDArray[np.float64]:
        """The rewards float64[B]; equal texts are scored once."""
        texts = [self._text(x, y) for x, y in zip(prompts, responses, strict=True)]
        return self._classifier.logits(texts)[:, 0]

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        check_batch(prompts, firsts, seconds)
        both = self.scores([*prompts, *prompts], [*firsts, *seconds])
        return sigmoid(both[: len(prompts)] - both[len(prompts) :])

    def _text(self, prompt: str, response: str, clock: Clock = CLOCK) -> str:
        prompt, response = readable(prompt), readable(response)
        if self._template is not None:
            return self._template(prompt, response)
        asked = with_system(messages_of(prompt), self._system)
        messages = [*asked, {"role": "assistant", "content": response}]
        return apply_template(self._tokenizer, messages, False, self._arguments, clock)


class Pairwise:
    """A classifier that reads both responses, averaged over both orders; its preference may have cycles.

    Parameters
    ----------
    model : one label (the logit of "the first is better") or two ([first, second] better).
    tokenizer : the model's own. template : (prompt, first, second) -> the text it was trained on.
    special : whether the tokenizer adds its special tokens; False when the template writes them.
    """

    as_is = True

    def __init__(self, model: Any, tokenizer: Any, template: Template, special: bool = True, batch: int = 16):
        self.name = (
            f"Pairwise({fingerprint(model)}, {digest(template('prompt', 'first', 'second'))}, {special})"
        )
        classifier = Classifier(self.name, model, tokenizer, special, batch, labels=(1, 2))
        self._both = Symmetrised(_OneOrder(self.name, classifier, template))

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        template: Template,
        special: bool = True,
        batch: int = 16,
        dtype: str | torch.dtype = "auto",
        device: str | torch.device | None = None,
    ) -> Pairwise:
        """Load model and tokenizer from a folder or the hub (safetensors only), by default onto the GPU.

        Raises ValueError when the classifier's head would be random or has the wrong number of labels.
        """
        return cls(*load_classifier(path, dtype, device), template, special, batch)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        return self._both.prefer(prompts, firsts, seconds)


class _OneOrder:
    """The pairwise model in the order given."""

    def __init__(self, name: str, classifier: Classifier, template: Template):
        self.name, self._classifier, self._template = name, classifier, template

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        logits = self._classifier.logits(
            [self._template(*map(readable, item)) for item in zip(prompts, firsts, seconds, strict=True)]
        )
        return sigmoid(logits[:, 0] - (logits[:, 1] if logits.shape[1] == 2 else 0.0))
