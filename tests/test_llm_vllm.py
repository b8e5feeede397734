"""Sampling through a vLLM server, against a fake one on this machine that answers from the same model."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from llm_oracles import PROMPTS, full_logits, trained
from llm_tiny import tiny_lm
from peft import PeftModel

from llm_backend import TextArena, judges
from llm_backend.engine_vllm import VLLM, EngineError, discrepancy, export
from llm_backend.generate import generate
from llm_backend.judges import rules
from llm_backend.logprobs import score
from llm_backend.policy import BASE, geometric_mixture, mixture


class Server(ThreadingHTTPServer):
    """Answers /v1/completions with samples of `lm`, and remembers what it was asked."""

    def __init__(self, lm, policies):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lm, self.policies = lm, policies
        self.asked, self.loaded, self.failures, self.noise, self.drop_stop = [], {}, [], 0.0, False
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((self.path, body, self.headers.get("Authorization")))
            status = self.server.failures.pop(0) if self.server.failures else 200
            if status != 200:
                return self.answer(status, '{"error": "not now"}')
            if self.path == "/v1/load_lora_adapter":
                self.server.loaded[body["lora_name"]] = body["lora_path"]
                return self.answer(200, "Success: LoRA adapter added.")
            self.answer(200, json.dumps({"choices": self.choices(body)}))

    def choices(self, body) -> list:
        lm, policy = self.server.lm, self.server.policies[body["model"]]
        samples = generate(
            lm,
            policy,
            [body["prompt"]],
            body["n"],
            max_new_tokens=body["max_tokens"],
            temperature=body["temperature"],
            key=(body["seed"],),
        )
        found = []
        for i, (tokens, logs) in enumerate(zip(samples.tokens, samples.by_token, strict=True)):
            ended = tokens[-1] in lm.stops
            kept = tokens[:-1] if ended and self.server.drop_stop else tokens
            found.append(
                {
                    "index": i,
                    "token_ids": kept,
                    "logprobs": {"token_logprobs": [float(v) + self.server.noise for v in logs[: len(kept)]]},
                    "finish_reason": "stop" if ended else "length",
                    "stop_reason": None,
                }
            )
        return found[::-1]

    def answer(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    lm = tiny_lm(layers=2)
    policy = trained(lm)
    server = Server(lm, {"base": BASE, policy.id: policy})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield lm, policy, server, VLLM(server.url, "base", folder=tmp_path, backoff=0.0)
    server.shutdown()
    thread.join()
    server.server_close()


def test_samples_are_rescored_and_the_discrepancy_reported(served):
    lm, policy, server, engine = served
    how = {"max_new_tokens": 8, "temperature": 1.3, "key": (4, 2)}
    samples = engine.generate(lm, policy, PROMPTS, 3, **how)
    prompts = [PROMPTS[x] for x in samples.prompt]
    assert np.allclose(samples.logprobs, score(lm, policy, prompts, samples.tokens, 1.3), atol=1e-5)
    assert samples.prompt.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    report = engine.reports[-1]
    assert report.largest < 1e-4 and report.outside == 0 and report.tokens == sum(map(len, samples.tokens))
    assert engine.generate(lm, policy, PROMPTS, 3, **how).tokens == samples.tokens
    part = engine.generate(lm, policy, PROMPTS[2:], 3, which=[2], **how)
    assert part.tokens == samples.tokens[6:]
    server.noise = 0.2
    engine.generate(lm, policy, PROMPTS, 3, **how)
    assert engine.reports[-1].largest == pytest.approx(0.2, abs=1e-3)
    assert engine.reports[-1].mean == pytest.approx(0.2, abs=1e-3) and engine.reports[-1].outside == 1


def test_what_the_server_is_asked(served, monkeypatch):
    lm, policy, server, engine = served
    monkeypatch.setenv("SERVER_KEY", "secret")
    keyed = VLLM(server.url, "base", folder=engine.folder, key_variable="SERVER_KEY")
    keyed.generate(lm, BASE, PROMPTS, 2, max_new_tokens=5, min_new_tokens=1, temperature=0.8)
    bodies = sorted((body for _, body, _ in server.asked), key=lambda body: PROMPTS.index(body["prompt"]))
    assert [body["prompt"] for body in bodies] == PROMPTS  # token ids, never text
    assert len({body["seed"] for body in bodies}) == 3
    for body in bodies:
        assert (body["model"], body["n"], body["temperature"], body["min_tokens"]) == ("base", 2, 0.8, 1)
        assert (body["top_p"], body["top_k"], body["stop_token_ids"]) == (1.0, -1, list(lm.stops))
    assert {key for _, _, key in server.asked} == {"Bearer secret"} and server.loaded == {}
    engine.generate(lm, policy, PROMPTS, max_new_tokens=2)
    engine.generate(lm, policy, PROMPTS, max_new_tokens=2)
    assert list(server.loaded) == [policy.id]
    assert sum(path.endswith("load_lora_adapter") for path, _, _ in server.asked) == 1


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT asks
def test_adapters_are_written_as_peft_reads_them(served):
    lm, policy, server, engine = served
    engine.generate(lm, policy, PROMPTS, max_new_tokens=2)
    fresh = PeftModel.from_pretrained(tiny_lm(lora=None, layers=2).causal, server.loaded[policy.id])
    with torch.no_grad():
        got = fresh(input_ids=torch.tensor(PROMPTS[:1])).logits[0, -1].double()
    assert torch.allclose(got, full_logits(lm, policy, PROMPTS[0], [])[-1], atol=1e-5)


def test_truncated_responses_and_a_stop_token_left_out(served):
    lm, _, server, engine = served
    whole = engine.generate(lm, BASE, PROMPTS, 30, max_new_tokens=5)
    assert set(whole.truncated.tolist()) == {True, False}
    assert all((row[-1] != lm.eos) == cut for row, cut in zip(whole.tokens, whole.truncated, strict=True))
    server.drop_stop = True
    assert engine.generate(lm, BASE, PROMPTS, 30, max_new_tokens=5).tokens == whole.tokens


def test_passing_failures_are_retried_and_refusals_are_not(served):
    lm, _, server, engine = served
    server.failures = [503, 429]
    assert len(engine.generate(lm, BASE, PROMPTS, max_new_tokens=2).tokens) == 3
    server.failures = [400]
    with pytest.raises(EngineError, match=r"after 1 attempts: status 400: .*not now"):
        engine.generate(lm, BASE, PROMPTS[:1], max_new_tokens=2)
    server.failures = [500] * 4
    with pytest.raises(EngineError, match="after 4 attempts: status 500"):
        engine.generate(lm, BASE, PROMPTS[:1], max_new_tokens=2)


def test_nobody_at_the_address(tmp_path):
    gone = VLLM("http://127.0.0.1:9/v1", "base", folder=tmp_path, retries=1, backoff=0.0, timeout=1.0)
    with pytest.raises(EngineError, match=r"http://127\.0\.0\.1:9/v1/completions failed after 2 attempts"):
        gone.generate(tiny_lm(), BASE, PROMPTS, max_new_tokens=2)
    assert gone.reports == []


def test_a_server_of_another_kind_is_told_apart(served, monkeypatch):
    lm, _, _, engine = served
    monkeypatch.setattr(Handler, "choices", lambda self, body: [{"index": 0, "text": "hello"}])
    with pytest.raises(EngineError, match="without token ids"):
        engine.generate(lm, BASE, PROMPTS[:1], max_new_tokens=2)


def test_mixtures_and_full_weights_are_refused():
    engine, lm = VLLM("http://127.0.0.1:9/v1", "base"), tiny_lm()
    policy = trained(lm)
    for kind, mixed in (("Blend", geometric_mixture((0.5, policy), (0.5, BASE))), ("League", None)):
        with pytest.raises(ValueError, match=f"not a {kind}: draw from mixtures"):
            engine.generate(lm, mixed or mixture((0.5, policy), (0.5, BASE)), PROMPTS, max_new_tokens=2)
    with pytest.raises(ValueError, match="folder is needed"):
        engine.generate(lm, policy, PROMPTS, max_new_tokens=2)
    full = tiny_lm(lora=None)
    with pytest.raises(ValueError, match="LoRA adapters"):
        engine.generate(full, trained(full), PROMPTS, max_new_tokens=2)
    with pytest.raises(ValueError, match="must begin with http"):
        VLLM("127.0.0.1:8000", "base")
    with pytest.raises(ValueError, match="NO_SUCH_KEY is not set"):
        VLLM("http://127.0.0.1:9/v1", "base", key_variable="NO_SUCH_KEY")


def test_discrepancy_counts_ratios_outside_a_tenth():
    ours, theirs = [np.log([0.5, 0.2]), np.log([0.9])], [np.log([0.5, 0.25]), np.log([0.89])]
    report = discrepancy(ours, theirs)
    assert report.outside == pytest.approx(1 / 3) and report.tokens == 3
    assert report.largest == pytest.approx(np.log(1.25))
    assert discrepancy([], []).tokens == 0


def test_export_leaves_nothing_half_written(tmp_path):
    lm = tiny_lm()
    export(lm, trained(lm), tmp_path / "policy")
    assert sorted(p.name for p in (tmp_path / "policy").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_an_arena_draws_through_the_server_what_is_no_mixture(served):
    lm, policy, server, engine = served
    longest = {"samples": 3, "max_new_tokens": 4, "seed": 1}
    judge = judges.Rule(rules.longer)
    arena = TextArena(lm, ["a b", "b a"], judge, engine=engine, **longest)
    drawn = arena.sample(policy, n=3)
    assert len(drawn.draws.texts) == 6 and len(engine.reports) == 1
    assert {body["model"] for _, body, _ in server.asked if "prompt" in body} == {policy.id}
    before = len(server.asked)
    arena.sample(arena.geometric_mixture((0.5, policy), (0.5, BASE)), n=3)
    assert len(server.asked) == before, "a mixture is drawn here"
    new = arena.mirror_step(BASE, policy, 1.0)
    assert len(server.asked) > before and new != policy
