"""A stand-in for `vllm serve`, as strict as the real one: requests and answers of vLLM 0.32 and 0.33.

Fields, types, status codes and wording of refusals were taken from those releases and compared with a running
server of 0.32; fields that vLLM would ignore are refused here.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from llm_backend.engines.local.generate import generate
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import token_rows
from llm_backend.policies.handles import BASE, Leaf

Token = Annotated[int, Field(ge=0)]


class Completion(BaseModel, extra="forbid", strict=True):
    """CompletionRequest of vllm.entrypoints.openai.completion.protocol, the fields for sampling."""

    model: str
    prompt: list[Token]
    max_tokens: int
    min_tokens: int = Field(ge=0)
    n: int = Field(ge=1)
    seed: int = Field(ge=-(2**63), lt=2**63)
    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=-1)
    min_p: float = Field(ge=0, le=1)
    repetition_penalty: float = Field(gt=0)
    presence_penalty: float = Field(ge=-2, le=2)
    frequency_penalty: float = Field(ge=-2, le=2)
    stop_token_ids: list[Token]
    logprobs: int = Field(ge=-1)
    return_token_ids: bool
    logit_bias: dict[str, float] | None = None


class Load(BaseModel, extra="forbid", strict=True):
    """LoadLoRAAdapterRequest of vllm.entrypoints.serve.lora.protocol."""

    lora_name: str
    lora_path: str


class Unload(BaseModel, extra="forbid", strict=True):
    """UnloadLoRAAdapterRequest of the same."""

    lora_name: str


class Refusal(Exception):
    """A status and the message of an ErrorResponse."""


class Server(ThreadingHTTPServer):
    """Serves `lm` as model "base" and `policies` by id, once their adapters are loaded.

    `asked` are the requests (path, body, Authorization); `failures` are statuses to answer next, `raw` is
    --logprobs-mode raw_logprobs, vLLM's default; `noise` is added to log-probabilities; `context` is
    --max-model-len; `change` edits the choices of an answer.
    """

    def __init__(self, lm: LanguageModel, policies: dict[str, Leaf], context: int = 64, rank: int = 16):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lm, self.policies, self.context, self.rank = lm, {"base": BASE, **policies}, context, rank
        self.asked: list[tuple[str, dict, str | None]] = []
        self.loaded: dict[str, str] = {}
        self.failures: list[int] = []
        self.raw, self.noise, self.change = False, 0.0, lambda choices: choices
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    # -- the routes -------------------------------------------------------------------------------------

    def models(self) -> dict:
        cards = [{"id": "base", "object": "model", "root": "/somewhere/base", "parent": None}]
        for name, path in self.loaded.items():
            cards.append({"id": name, "object": "model", "root": path, "parent": "base"})
        return {"object": "list", "data": cards}

    def load(self, body: Load) -> str:
        name, folder = body.lora_name, Path(body.lora_path)
        if name in self.loaded or name == "base":
            raise Refusal(400, f"The lora adapter '{name}' has already been loaded.")
        try:
            config = json.loads((folder / "adapter_config.json").read_text())
            assert (folder / "adapter_model.safetensors").is_file()
        except (OSError, AssertionError):
            raise Refusal(404, f"Loading lora {name} failed: No adapter found for {folder}") from None
        if config["r"] > self.rank:
            raise Refusal(500, f"LoRA rank {config['r']} is greater than max_lora_rank {self.rank}.")
        assert isinstance(config["target_modules"], list) and config["bias"] == "none"
        self.loaded[name] = body.lora_path
        return f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, body: Unload) -> str:
        if body.lora_name not in self.loaded:
            raise Refusal(404, f"The lora adapter '{body.lora_name}' cannot be found.")
        del self.loaded[body.lora_name]
        return f"Success: LoRA adapter '{body.lora_name}' removed successfully."

    def complete(self, body: Completion) -> dict:
        if body.model not in {"base", *self.loaded}:
            raise Refusal(404, f"The model `{body.model}` does not exist. Valid aliases: base.")
        if max(body.prompt) >= len(self.lm.tokenizer):
            raise Refusal(400, f"Token id {max(body.prompt)} is out of vocabulary")
        if len(body.prompt) >= self.context:
            raise Refusal(400, f"This model's maximum context length is {self.context} tokens.")
        choices = self.choices(body, min(body.max_tokens, self.context - len(body.prompt)))
        count = sum(len(choice["token_ids"]) for choice in choices)
        return {
            "id": "cmpl-0",
            "object": "text_completion",
            "created": 0,
            "model": body.model,
            "choices": self.change(choices[::-1]),  # in any order
            "service_tier": None,
            "system_fingerprint": "vllm-0.32.0",
            "usage": {
                "prompt_tokens": len(body.prompt),
                "total_tokens": len(body.prompt) + count,
                "completion_tokens": count,
            },
            "kv_transfer_params": None,
        }

    def choices(self, body: Completion, longest: int) -> list[dict]:
        leaf, temperature = self.policies[body.model], max(body.temperature, 0.01)
        how = {"max_new_tokens": longest, "min_new_tokens": min(body.min_tokens, longest)}
        samples = generate(
            self.lm, leaf, [body.prompt], body.n, temperature=temperature, key=(body.seed,), **how
        )
        logs = samples.by_token
        if self.raw:
            logs = token_rows(self.lm, leaf, [body.prompt] * body.n, samples.tokens)
        return [
            {
                "index": i,
                "text": self.lm.decode(tokens),
                "logprobs": {
                    "text_offset": [0] * len(tokens),
                    "token_logprobs": [max(float(v), -9999.0) for v in log + self.noise],
                    "tokens": [self.lm.tokenizer.decode([token]) for token in tokens],
                    "top_logprobs": [{} for _ in tokens],
                },
                "finish_reason": "stop" if tokens[-1] in self.lm.stops else "length",
                "stop_reason": tokens[-1] if tokens[-1] in set(self.lm.stops) - {self.lm.eos} else None,
                "token_ids": tokens,  # a stop token is among them
                "prompt_logprobs": None,
                "prompt_token_ids": body.prompt,
            }
            for i, (tokens, log) in enumerate(zip(samples.tokens, map(np.asarray, logs), strict=True))
        ]


POSTS = {
    "/v1/completions": (Completion, Server.complete),
    "/v1/load_lora_adapter": (Load, Server.load),
    "/v1/unload_lora_adapter": (Unload, Server.unload),
}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        found = self.server.models() if self.path == "/v1/models" else None
        self.answer(200 if found else 404, json.dumps(found or {"detail": "Not Found"}))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((self.path, body, self.headers.get("Authorization")))
            try:
                if self.server.failures:
                    raise Refusal(self.server.failures.pop(0), "not now")
                kind, route = POSTS[self.path]
                answer = route(self.server, kind.model_validate(body))  # type: ignore[arg-type]
                self.answer(200, answer if isinstance(answer, str) else json.dumps(answer))
            except Refusal as refusal:
                self.refuse(*refusal.args)
            except ValidationError as error:
                self.refuse(400, str(error))

    def refuse(self, status, message):
        error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
        self.answer(status, json.dumps({"error": error}))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass
