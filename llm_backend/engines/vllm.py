"""Sampling by a vLLM server, for every policy that is not a mixture."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as safetensors_bytes

from llm_backend.engines.local.generate import Samples
from llm_backend.engines.local.randomness import uniforms
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import token_rows
from llm_backend.policies.handles import Adapter, Base, Leaf, Policy
from pgames.files import atomic

COLDEST = 0.01  # vLLM samples at this temperature when asked for a lower one, without a word


class EngineError(RuntimeError):
    """The server cannot be reached, refuses, or answers what it must not."""


class _Unknown(EngineError):
    """The server has no model of that name."""


class Discrepancy(NamedTuple):
    """|log pi(token)| of the server minus the trainer's, nats, over the tokens of one call."""

    largest: float
    mean: float
    outside: float  # share of tokens whose probability ratio is outside [0.9, 1.1]
    tokens: int


class VLLM:
    """`generate` through the OpenAI-compatible interface of a vLLM server that holds the same base.

    Responses are scored again by the trainer, whose log-probabilities the samples carry; `reports` keeps how
    far the server's were from them, one `Discrepancy` per call. Start the server with
    `vllm serve BASE --enable-lora --max-lora-rank RANK --logprobs-mode processed_logprobs
    --generation-config vllm` and, so that adapters can be sent while it runs,
    VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment. An adapter leaves server and folder after the
    last handle on it is gone; a server that has lost one, as after a restart, is given it again.

    Parameters
    ----------
    url : base address up to the version, as in http://127.0.0.1:8000/v1. model : the base's name there.
    folder : where adapters are written for the server to read, in PEFT's format: both must see it.
    key_variable : the environment variable that holds the API key; None sends no key.
    timeout : seconds for one answer. retries : further attempts after a refused connection, a timeout or
        status 429 or 5xx, waiting `backoff` * 2^k seconds before each. workers : most requests at once.
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
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"VLLM: url must begin with http:// or https://, got {url!r}.")
        if key_variable is not None and not os.environ.get(key_variable):
            raise ValueError(f"VLLM: the environment variable {key_variable} is not set: put the key there.")
        self.url, self.model, self.key_variable = url.rstrip("/"), model, key_variable
        self.folder = None if folder is None else Path(folder)
        self.timeout, self.retries, self.backoff, self.workers = timeout, retries, backoff, workers
        self.reports: list[Discrepancy] = []
        self._loaded: dict[str, weakref.ref[Adapter]] = {}

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
    ) -> Samples:
        """`n` responses of a leaf to each prompt, in the form that `engines.local.generate` has.

        The server draws with a seed that is a function of (key, which[x]); its samples are its own.
        Raises EngineError when it cannot be reached or refuses, ValueError for a mixture.
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
            "top_p": 1.0,  # said aloud: the server would take them from the model's generation_config
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "stop_token_ids": list(lm.stops),
            "logprobs": 0,
            "return_token_ids": True,
        }
        bodies = [
            fields | {"prompt": list(ids), "seed": int(seed)}
            for ids, seed in zip(prompt_ids, seeds, strict=True)
        ]
        try:
            replies = self._completions(self._name(lm, leaf), bodies)
        except _Unknown:
            self._loaded.pop(leaf.id, None)
            replies = self._completions(self._name(lm, leaf), bodies)
        tokens: list[list[int]] = []
        theirs: list[NDArray[np.float64]] = []
        for reply in replies:
            for row, logs in self._responses(reply, n, lm, max_new_tokens):
                tokens.append(row)
                theirs.append(logs)
        prompt = np.repeat(np.arange(len(prompt_ids)), n)
        asked = [prompt_ids[x] for x in prompt.tolist()]
        ours = token_rows(lm, leaf, asked, tokens, temperature, shortest=min_new_tokens)
        self.reports.append(discrepancy(ours, theirs))
        truncated = np.array([row[-1] not in lm.stops for row in tokens], dtype=bool)
        return Samples(prompt, tokens, ours, truncated)

    def _completions(self, name: str, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        with ThreadPoolExecutor(max(1, min(self.workers, len(bodies)))) as pool:
            return list(pool.map(lambda body: self._send("/completions", body | {"model": name}), bodies))

    def _responses(
        self, reply: Any, n: int, lm: LanguageModel, longest: int
    ) -> list[tuple[list[int], NDArray[np.float64]]]:
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
                    f"{row[-1:]}, which is none of the model's stop tokens {list(lm.stops)}: has it the "
                    "same base, with the same generation_config.json?"
                )
        return list(zip(rows, logs, strict=True))

    def _name(self, lm: LanguageModel, leaf: Leaf) -> str:
        """What the server calls the leaf, which it has been given."""
        if isinstance(leaf, Base):
            return self.model
        if lm.lora is None:
            raise ValueError(
                "a vLLM server takes policies as LoRA adapters: train with lora=, not all weights."
            )
        if self.folder is None:
            raise ValueError("VLLM: folder is needed to hand adapters to the server: a folder both can see.")
        for name in [name for name, handle in self._loaded.items() if handle() is None]:
            self._unload(name)
        if leaf.id not in self._loaded:
            path = str((self.folder / leaf.id).resolve())
            export(lm, leaf, path)
            there = self._models()
            if there.get(leaf.id) != path:  # else a run before this one has handed it over
                if leaf.id in there:
                    self._unload(leaf.id)
                try:
                    self._send("/load_lora_adapter", {"lora_name": leaf.id, "lora_path": path})
                except EngineError:
                    if self._models().get(leaf.id) != path:  # else another process was faster
                        raise
        self._loaded[leaf.id] = weakref.ref(leaf)
        return leaf.id

    def _models(self) -> dict[str, str | None]:
        """The folder of every adapter that the server has, by name."""
        reply = self._send("/models")
        try:
            return {card["id"]: card.get("root") for card in reply["data"]}
        except (KeyError, TypeError, AttributeError):
            raise EngineError(f"{self.url}/models lists no models: is a vLLM server there?") from None

    def _unload(self, name: str) -> None:
        try:
            self._send("/unload_lora_adapter", {"lora_name": name})
        except _Unknown:
            pass
        if self._loaded.pop(name, None) is not None:
            shutil.rmtree(cast(Path, self.folder) / name, ignore_errors=True)

    def _send(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to a POST of `body`, or to a GET without one."""
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            headers["Authorization"] = f"Bearer {os.environ[self.key_variable]}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        problem, kind = "", EngineError
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(self.backoff * 2 ** (attempt - 1))
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as response:
                    text = response.read().decode()
                return json.loads(text) if text.startswith("{") else text
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read().decode(errors="replace")[:300]
                problem, kind = f"status {error.code}: {said}", _Unknown if error.code == 404 else EngineError
                if error.code != 429 and error.code < 500:
                    break
            except (OSError, http.client.HTTPException) as error:
                problem = str(getattr(error, "reason", error)) or type(error).__name__
            except ValueError as error:
                problem = f"no JSON ({error})"
        raise kind(
            f"the vLLM server at {self.url}{path} failed after {attempt + 1} attempts: {problem}. Is it up, "
            "and started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True? "
            "llm_backend.engines.local.generate needs no server."
        )


def discrepancy(ours: Sequence[NDArray[np.float64]], theirs: Sequence[NDArray[np.float64]]) -> Discrepancy:
    """How far two lists of token log-probabilities are apart, over the tokens that both have."""
    gaps = [a[: len(b)] - b[: len(a)] for a, b in zip(ours, theirs, strict=True)]
    gap = np.abs(np.concatenate(gaps)) if gaps else np.zeros(0)
    if not len(gap):
        return Discrepancy(0.0, 0.0, 0.0, 0)
    signed = np.concatenate(gaps)
    outside = (signed < np.log(0.9)) | (signed > np.log(1.1))
    return Discrepancy(float(gap.max()), float(gap.mean()), float(outside.mean()), len(gap))


def export(lm: LanguageModel, adapter: Adapter, folder: str | os.PathLike[str]) -> None:
    """Write an adapter as PEFT does, for programs that read that: adapter_config.json and safetensors."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors, layers = {}, set()
    for name, weight in lm.weights(adapter).items():
        path, half = name.rsplit(".", 1)
        layers.add(path.rsplit(".", 1)[-1])
        tensors[f"base_model.model.{path}.lora_{half}.weight"] = weight.detach().cpu().contiguous()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lm.lora,
        "lora_alpha": lm.lora,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(layers),
        "base_model_name_or_path": None,
    }
    with atomic(folder / "adapter_model.safetensors") as file:
        file.write(safetensors_bytes(tensors, {"format": "pt"}))
    with atomic(folder / "adapter_config.json", "w") as file:
        json.dump(config, file, indent=1)


def _leaf(policy: Policy) -> Leaf:
    if isinstance(policy, Base | Adapter):
        return policy
    raise ValueError(
        f"a vLLM server samples one model at a time, not a {type(policy).__name__}: draw from mixtures with "
        "llm_backend.engines.local.generate.generate."
    )
