"""Sampling by a vLLM server, for every policy that is not a mixture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.engines.local.randomness import uniforms
from llm_backend.engines.lora_server import EngineError, LoraServer
from llm_backend.engines.protocol import Responses
from llm_backend.http import Client
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import token_rows
from llm_backend.policies.handles import Adapter, Base, Leaf, Policy

COLDEST = 0.01  # vLLM silently raises lower temperatures to this one
LONGEST = 1 << 28  # bytes of an answer, which holds log-probabilities of every token


class Discrepancy(NamedTuple):
    """|log pi_server(token) - log pi_trainer(token)| in nats, over the tokens of one call."""

    largest: float
    mean: float
    outside: float  # fraction of tokens whose probability ratio is outside [0.9, 1.1]
    tokens: int


class VLLM:
    """`generate` through the OpenAI-compatible interface of a vLLM server that holds the same base.

    The trainer scores the responses again, and the result holds the trainer's log-probabilities. `reports`
    lists how far the server's were from them, one `Discrepancy` per call. Start the server with
    `vllm serve BASE --enable-lora --max-lora-rank RANK --logprobs-mode processed_logprobs
    --generation-config vllm` and, so that adapters can be sent while it runs, with
    VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment. An adapter is removed from server and folder
    after its last handle is collected. An adapter that the server has lost, for example in a restart, is
    loaded again.

    Parameters
    ----------
    url : base address up to the version, such as http://127.0.0.1:8000/v1. model : the base's name there.
    folder : where adapters are written for the server to read, in PEFT's format; both need access to it.
    key_variable : the environment variable that holds the API key; None sends no key.
    timeout : seconds for one answer. retries : further attempts after a failed connection, a timeout or
        status 429 or 5xx, waiting `backoff` * 2^k seconds before each. workers : most concurrent requests.

    Raises ValueError for an invalid url, key or number.
    """

    def __init__(
        self,
        url: str,
        model: str,
        folder: str | os.PathLike[str] | None = None,
        key_variable: str | None = None,
        timeout: float = 600.0,
        retries: int = 3,
        backoff: float = 1.0,
        workers: int = 64,
    ):
        url = url.rstrip("/")
        client = Client("VLLM", url, key_variable, timeout, retries, backoff, workers, LONGEST)
        self.url, self.model = url, model
        self.folder = None if folder is None else Path(folder)
        self.reports: list[Discrepancy] = []
        self._server = LoraServer(client, model, self.folder)

    def generate(
        self,
        lm: LanguageModel,
        policy: Policy,
        prompt_ids: Sequence[Sequence[int]],
        n: int = 1,
        *,
        max_new_tokens: int,
        min_new_tokens: int = 0,
        temperature: float = 1.0,
        key: Sequence[int] = (0,),
        which: Sequence[int] | None = None,
    ) -> Responses:
        """`n` responses of a leaf to each prompt, in the form of `engines.local.generate`.

        The server's seed is a function of (key, which[x]); its draws differ from those of local decoding.
        Raises EngineError when the server cannot be reached or refuses, ValueError for a mixture and for a
        temperature below `COLDEST`.
        """
        leaf = _leaf(policy)
        if temperature < COLDEST:
            raise ValueError(f"vLLM samples at a temperature of {COLDEST} or more, got {temperature}.")
        lm.check_length(max(map(len, prompt_ids), default=0) + max_new_tokens)
        place = np.arange(len(prompt_ids)) if which is None else np.asarray(which, dtype=np.int64)
        seeds = (uniforms(key, place, np.zeros_like(place), 1)[:, 0] * 2**31).astype(np.int64)
        fields = {
            "n": n,
            "max_tokens": max_new_tokens,
            "min_tokens": min_new_tokens,
            "temperature": temperature,
            "top_p": 1.0,  # else the server takes this and the next ones from generation_config
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "stop_token_ids": list(lm.stops),
            "logprobs": 0,
            "return_token_ids": True,
        }
        if lm.missing:
            fields["logit_bias"] = {str(i): -100.0 for i in lm.missing}  # ids without a token
        bodies = [
            fields | {"prompt": list(ids), "seed": int(seed)}
            for ids, seed in zip(prompt_ids, seeds, strict=True)
        ]
        tokens: list[list[int]] = []
        theirs: list[NDArray[np.float64]] = []
        for reply in self._server.complete(lm, leaf, bodies):
            for row, logs in self._responses(reply, n, lm, max_new_tokens):
                tokens.append(row)
                theirs.append(logs)
        prompt = np.repeat(np.arange(len(prompt_ids)), n)
        asked = [prompt_ids[x] for x in prompt.tolist()]
        ours = token_rows(lm, leaf, asked, tokens, temperature, shortest=min_new_tokens)
        self.reports.append(discrepancy(ours, theirs))
        truncated = np.array([row[-1] not in lm.stops for row in tokens], dtype=bool)
        return Responses(prompt, tokens, ours, truncated, {leaf: np.array([row.sum() for row in ours])})

    def _responses(
        self, reply: Any, n: int, lm: LanguageModel, longest: int
    ) -> list[tuple[list[int], NDArray[np.float64]]]:
        """Tokens and the server's log-probabilities of each response, after checks."""
        try:
            choices = sorted(reply["choices"], key=lambda choice: choice["index"])
            rows = [list(map(int, choice["token_ids"])) for choice in choices]
            logs = [np.array(choice["logprobs"]["token_logprobs"], dtype=np.float64) for choice in choices]
            reasons = [choice["finish_reason"] for choice in choices]
        except (KeyError, TypeError, ValueError) as error:
            raise EngineError(
                f"the server at {self.url} answered without token ids or log-probabilities "
                f"({type(error).__name__}: {error}): it must be vLLM 0.10.2 or later, for return_token_ids."
            ) from None
        if len(rows) != n:
            raise EngineError(f"the server at {self.url} gave {len(rows)} responses of {n}.")
        for row, log, reason in zip(rows, logs, reasons, strict=True):
            if len(row) != len(log) or not np.isfinite(log).all():
                raise EngineError(
                    f"the server at {self.url} gave {len(row)} tokens with the log-probabilities {log}: "
                    "does the model compute NaN there?"
                )
            if reason == "length" and len(row) < longest:
                raise EngineError(
                    f"the server at {self.url} cut a response after {len(row)} of {longest} tokens: start it "
                    "with a larger --max-model-len, and --generation-config vllm."
                )
            if reason not in ("stop", "length") or (
                reason == "stop" and (not row or row[-1] not in lm.stops)
            ):
                raise EngineError(
                    f"the server at {self.url} ended a response for the reason {reason!r} after token "
                    f"{row[-1:]}, which is none of the model's stop tokens {list(lm.stops)}: does it hold "
                    "the same base, with the same generation_config.json?"
                )
            if lost := set(row) & set(lm.missing):
                raise EngineError(
                    f"the server at {self.url} drew id {min(lost)}, which no token has: does it serve the "
                    "same base, and a version of vLLM that takes logit_bias?"
                )
        return list(zip(rows, logs, strict=True))


def discrepancy(ours: Sequence[NDArray[np.float64]], theirs: Sequence[NDArray[np.float64]]) -> Discrepancy:
    """How far two lists of token log-probabilities float64[L] differ, over the tokens that both have."""
    gaps = [a[: len(b)] - b[: len(a)] for a, b in zip(ours, theirs, strict=True)]
    gap = np.abs(np.concatenate(gaps)) if gaps else np.zeros(0)
    if not len(gap):
        return Discrepancy(0.0, 0.0, 0.0, 0)
    signed = np.concatenate(gaps)
    outside = (signed < np.log(0.9)) | (signed > np.log(1.1))
    return Discrepancy(float(gap.max()), float(gap.mean()), float(outside.mean()), len(gap))


def _leaf(policy: Policy) -> Leaf:
    if isinstance(policy, Base | Adapter):
        return policy
    raise ValueError(
        f"a vLLM server samples one model at a time, not a {type(policy).__name__}: draw from mixtures with "
        "llm_backend.engines.local.generate."
    )
