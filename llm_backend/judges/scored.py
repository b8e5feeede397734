"""Judges that are sequence classifiers: a Bradley-Terry reward model and a pairwise preference model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.data.templates import apply_template
from llm_backend.data.tokens import padded, tokenize
from llm_backend.judges.base import JudgeError, Symmetrised, check_batch, excerpt

Template = Callable[..., str]  # texts -> the text the model reads


class RewardModel:
    """Bradley-Terry: P(first > second) = sigmoid(score(first) - score(second)), from a one-label classifier.

    Parameters
    ----------
    model : an AutoModelForSequenceClassification with one label. tokenizer : the model's own.
    template : (prompt, response) -> text; by default the tokenizer's chat template of the conversation.
    system : text of a system message (chat template only). batch : texts per forward pass.

    Transitive by construction: no cycles. Raises JudgeError for a score that is not finite and for a text
    longer than the model holds; nothing is cut silently.
    """

    as_is = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        template: Template | None = None,
        system: str | None = None,
        batch: int = 16,
    ):
        self._template, self._system, self._tokenizer = template, system, tokenizer
        self.name = f"RewardModel({fingerprint(model)}, {digest(self._text('prompt', 'response'))})"
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
    ) -> RewardModel:
        """Load model and tokenizer from a folder or the hub (safetensors only), by default onto the GPU."""
        return cls(*load_classifier(path, dtype, device), template, system, batch)

    def scores(self, prompts: Sequence[str], responses: Sequence[str]) -> NDArray[np.float64]:
        """The rewards, float64[B]; the same text is scored once."""
        texts = [self._text(x, y) for x, y in zip(prompts, responses, strict=True)]
        return self._classifier.logits(texts)[:, 0]

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        check_batch(prompts, firsts, seconds)
        both = self.scores([*prompts, *prompts], [*firsts, *seconds])
        return sigmoid(both[: len(prompts)] - both[len(prompts) :])

    def _text(self, prompt: str, response: str) -> str:
        if self._template is not None:
            return self._template(prompt, response)
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        if self._system is not None:
            messages = [{"role": "system", "content": self._system}, *messages]
        return apply_template(self._tokenizer, messages, add_generation_prompt=False)


class Pairwise:
    """A classifier that reads both responses: any preference, cycles included, averaged over both orders.

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
        """Load model and tokenizer from a folder or the hub (safetensors only), by default onto the GPU."""
        return cls(*load_classifier(path, dtype, device), template, special, batch)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        return self._both.prefer(prompts, firsts, seconds)


class _OneOrder:
    def __init__(self, name: str, classifier: Classifier, template: Template):
        self.name, self._classifier, self._template = name, classifier, template

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        logits = self._classifier.logits(
            [self._template(*item) for item in zip(prompts, firsts, seconds, strict=True)]
        )
        return sigmoid(logits[:, 0] - (logits[:, 1] if logits.shape[1] == 2 else 0.0))


class Classifier:
    """Logits of texts, in batches of similar length, equal to those of one text at a time."""

    def __init__(
        self, name: str, model: Any, tokenizer: Any, special: bool, batch: int, labels: tuple[int, ...]
    ):
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        if model.config.num_labels not in labels:
            raise ValueError(
                f"the classifier has {model.config.num_labels} labels, need {' or '.join(map(str, labels))}: "
                "load it with num_labels=..., or wrap it in a judge of your own."
            )
        self.name, self.model, self.tokenizer = name, model.eval(), tokenizer
        self.special, self.batch = special, batch  # special: the tokenizer adds BOS and the like
        self.longest = getattr(model.config, "max_position_embeddings", None)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """float64[B, labels]."""
        rows = {text: self._tokens(text) for text in dict.fromkeys(texts)}
        order = sorted(rows, key=lambda text: len(rows[text]))
        known: dict[str, NDArray[np.float64]] = {}
        for start in range(0, len(order), self.batch):
            some = order[start : start + self.batch]
            for text, value in zip(some, self._forward([rows[text] for text in some]), strict=True):
                if not np.isfinite(value).all():
                    raise JudgeError(
                        f"{self.name} returned {value.tolist()} for {excerpt(text, 120)}: check its weights, "
                        "and load it in bfloat16 or float32 if it overflows float16."
                    )
                known[text] = value
        return np.array([known[text] for text in texts]).reshape(len(texts), self.model.config.num_labels)

    def _tokens(self, text: str) -> list[int]:
        row = tokenize(self.tokenizer, text, self.special, eos=True)
        if not row or (self.longest is not None and len(row) > self.longest):
            raise JudgeError(
                f"{self.name} cannot read {len(row)} tokens, only 1 to {self.longest}: {excerpt(text)}. "
                "Lower max_new_tokens, shorten the prompt, or use a judge with a longer context."
            )
        return row

    @torch.no_grad()
    def _forward(self, rows: list[list[int]]) -> NDArray[np.float64]:
        config = self.model.config
        declared = config.pad_token_id
        # A decoder reads its score off the last token that is not pad. Without a declared pad token any will
        # do that ends none of the rows: pad = EOS would read it one token early.
        ends = {row[-1] for row in rows}
        pad = declared if declared is not None else min(set(range(len(rows) + 1)) - ends)
        ids, mask = padded(rows, pad, side="right")
        try:
            config.pad_token_id = pad
            device = next(self.model.parameters()).device
            out = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        finally:
            config.pad_token_id = declared
        return out.double().cpu().numpy()


def load_classifier(
    path: str, dtype: str | torch.dtype, device: str | torch.device | None
) -> tuple[Any, Any]:
    """Model and tokenizer; refuses a checkpoint whose head would be random."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model, info = AutoModelForSequenceClassification.from_pretrained(
        path, dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    if info["missing_keys"]:
        raise ValueError(
            f"{path} has no weights for {', '.join(sorted(info['missing_keys'])[:3])}, which would stay "
            "random: it is no sequence classifier; pass a trained reward model."
        )
    return model.to(device or best_device()), AutoTokenizer.from_pretrained(path)


def best_device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-values)), with sigmoid(-v) = 1 - sigmoid(v) to the last bit of both."""
    return 0.5 + 0.5 * np.tanh(0.5 * values)


def digest(text: str) -> str:
    """Twelve hexadecimal digits that tell templates apart, by what they make of an example."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def fingerprint(model: Any) -> str:
    """Name and a digest of the ends of every weight: the same for the same weights, cheap for any size."""
    ends = hashlib.sha256()
    for name, weight in model.state_dict().items():
        flat = weight.detach().reshape(-1)
        some = torch.cat([flat[:8], flat[-8:]]).double().cpu().numpy()
        ends.update(f"{name} {tuple(weight.shape)}".encode() + some.tobytes())
    return f"{Path(model.config.name_or_path).name or type(model).__name__} {ends.hexdigest()[:12]}"
