"""Sampling through a vLLM server, against a stand-in on this machine that answers from the same model."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

from llm_backend import LanguageModel, TextArena, judges
from llm_backend.engines.lora_server import EngineError
from llm_backend.engines.vllm import VLLM, discrepancy
from llm_backend.export.adapters import write_files
from llm_backend.judges import rules
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE, geometric_mixture, mixture
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run
from llm_backend.tiny import tiny_language_model
from tests.support.llm_oracles import PROMPTS, full_logits, trained
from tests.support.llm_tiny import tiny_lm
from tests.support.vllm_server import Server


@pytest.fixture
def served(tmp_path):
    lm = tiny_lm(layers=2)
    policy = trained(lm)
    server = Server(lm, {policy.id: policy})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield lm, policy, server, VLLM(server.url, "base", folder=tmp_path / "adapters", backoff=0.0)
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


def test_a_server_is_told_which_ids_have_no_token(served):
    lm, _, server, engine = served
    assert engine.generate(lm, BASE, PROMPTS, max_new_tokens=3) and "logit_bias" not in server.asked[-1][1]
    lm.missing = [5, 7]  # as if the tokenizer had lost them
    samples = engine.generate(lm, BASE, PROMPTS, 4, max_new_tokens=5)
    assert server.asked[-1][1]["logit_bias"] == {"5": -100.0, "7": -100.0}
    assert not {5, 7} & {token for row in samples.tokens for token in row}
    server.change = lambda choices: [
        {**one, "token_ids": [5, *one["token_ids"]], "logprobs": _longer(one["logprobs"])} for one in choices
    ]
    with pytest.raises(EngineError, match="drew id 5, which no token has"):
        engine.generate(lm, BASE, PROMPTS, 2, max_new_tokens=8)


def _longer(logprobs):
    return {**logprobs, "token_logprobs": [-1.0, *logprobs["token_logprobs"]]}


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
        assert body["presence_penalty"] == body["frequency_penalty"] == body["min_p"] == 0
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


def test_what_the_server_says_other_than_the_trainer_is_reported(served):
    lm, policy, server, engine = served
    how = {"max_new_tokens": 6, "min_new_tokens": 3, "temperature": 0.7}
    samples = engine.generate(lm, policy, PROMPTS, 4, **how)
    assert min(map(len, samples.tokens)) > 3 and engine.reports[-1].largest < 1e-4
    server.raw = True  # vLLM's default mode: before temperature and minimum length
    assert engine.generate(lm, policy, PROMPTS, 4, **how).tokens == samples.tokens
    assert engine.reports[-1].mean > 0.05 and engine.reports[-1].outside > 0.3


def test_truncated_responses_and_several_stop_tokens(served):
    lm, _, _, engine = served
    lm.stops = (lm.eos, 5)
    whole = engine.generate(lm, BASE, PROMPTS, 30, max_new_tokens=5)
    assert set(whole.truncated.tolist()) == {True, False}
    for row, cut in zip(whole.tokens, whole.truncated, strict=True):
        assert (row[-1] not in lm.stops) == cut and not set(row[:-1]) & set(lm.stops)
    assert {row[-1] for row in whole.tokens} >= {lm.eos, 5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"finish_reason": "abort"}, "ended a response for the reason 'abort'"),
        ({"finish_reason": "stop", "token_ids": [4, 4, 4]}, r"after token \[4\], which is none of"),
        ({"finish_reason": "length"}, "cut a response after 3 of 5 tokens: start it with a larger"),
        ({"token_ids": None}, "without token ids"),
        ({"logprobs": None}, "without token ids or log-probabilities"),
        ({"logprobs": {"token_logprobs": [None, -1.0, -2.0]}}, "3 tokens with the log-probabilities"),
        ({"logprobs": {"token_logprobs": [-1.0]}}, "3 tokens with the log-probabilities"),
    ],
)
def test_answers_that_cannot_be_used(served, change, message):
    lm, _, server, engine = served
    logs = {"token_logprobs": [-1.0, -1.0, -1.0]}
    plain = {"index": 0, "token_ids": [4, 4, lm.eos], "logprobs": logs, "finish_reason": "stop"}
    server.change = lambda choices: [plain | change]
    with pytest.raises(EngineError, match=message):
        engine.generate(lm, BASE, PROMPTS[:1], max_new_tokens=5)
    server.change = lambda choices: [plain]
    assert engine.generate(lm, BASE, PROMPTS[:1], max_new_tokens=5).tokens == [[4, 4, lm.eos]]
    server.change = lambda choices: choices[:1]
    with pytest.raises(EngineError, match="gave 1 responses of 2"):
        engine.generate(lm, BASE, PROMPTS[:1], 2, max_new_tokens=5)


def test_a_context_shorter_than_the_trainers(served):
    lm, _, server, engine = served
    server.context = 6
    with pytest.raises(EngineError, match=r"cut a response after . of 20 tokens: .*--max-model-len"):
        engine.generate(lm, BASE, PROMPTS[:1], 8, max_new_tokens=20)
    with pytest.raises(ValueError, match="the model's context is 64"):
        engine.generate(lm, BASE, PROMPTS[:1], max_new_tokens=64)


def test_adapters_come_and_go_with_their_handles(served):
    lm, _, server, engine = served
    first, second = trained(lm, seed=1), trained(lm, seed=2)
    server.policies |= {first.id: first, second.id: second}
    engine.generate(lm, first, PROMPTS, max_new_tokens=2)
    folder = Path(server.loaded[first.id])
    assert folder.is_dir()
    resumed = VLLM(server.url, "base", folder=engine.folder)  # the server still has it: refuses it twice
    resumed.generate(lm, first, PROMPTS, max_new_tokens=2)
    moved = VLLM(server.url, "base", folder=f"{engine.folder}2")
    moved.generate(lm, first, PROMPTS, max_new_tokens=2)
    assert server.loaded[first.id] == str(Path(f"{engine.folder}2", first.id))
    name = first.id
    server.policies.pop(name)
    del first
    gc.collect()
    engine.generate(lm, second, PROMPTS, max_new_tokens=2)
    assert list(server.loaded) == [second.id] and not folder.exists()
    moved.generate(lm, second, PROMPTS, max_new_tokens=2)  # what another has unloaded is not an error
    server.loaded.clear()  # restarted
    assert len(moved.generate(lm, second, PROMPTS, max_new_tokens=2).tokens) == 3
    assert list(server.loaded) == [second.id]


def test_two_processes_that_load_one_adapter(served, monkeypatch):
    lm, policy, server, engine = served
    now = [server.models()]  # asked before the other process loads it, and answered after
    engine.generate(lm, policy, PROMPTS, max_new_tokens=2)
    true = server.models
    monkeypatch.setattr(server, "models", lambda: now.pop() if now else true())
    other = VLLM(server.url, "base", folder=engine.folder)
    assert len(other.generate(lm, policy, PROMPTS, max_new_tokens=2).tokens) == 3 and not now
    monkeypatch.setattr(server, "models", lambda: {"object": "error"})
    with pytest.raises(EngineError, match="/models lists no models"):
        VLLM(server.url, "base", folder=engine.folder).generate(lm, policy, PROMPTS, max_new_tokens=2)


def test_a_rank_too_large(served):
    lm, policy, server, engine = served
    server.rank = 4
    with pytest.raises(EngineError, match="LoRA rank 8 is greater than max_lora_rank 4"):
        engine.generate(lm, policy, PROMPTS, max_new_tokens=2)
    assert not server.loaded


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


def test_what_the_server_does_not_have(served):
    lm, _, server, _ = served
    with pytest.raises(EngineError, match=r"status 404: .*The model `other` does not exist"):
        VLLM(server.url, "other").generate(lm, BASE, PROMPTS, max_new_tokens=2)
    with pytest.raises(EngineError, match=r"status 400: .*Token id 40 is out of vocabulary"):
        VLLM(server.url, "base").generate(lm, BASE, [[1, 40]], max_new_tokens=2)
    with pytest.raises(ValueError, match=r"at a temperature of 0\.01 or more"):
        VLLM(server.url, "base").generate(lm, BASE, PROMPTS, max_new_tokens=2, temperature=0.005)


def test_mixtures_and_full_weights_are_refused():
    engine, lm = VLLM("http://127.0.0.1:9/v1", "base"), tiny_lm()
    policy = trained(lm)
    for kind, mixed in (("Blend", geometric_mixture((0.5, policy), (0.5, BASE))), ("Mixture", None)):
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
    write_files(lm, trained(lm), tmp_path / "policy")
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


def test_a_run_from_a_file_draws_through_the_server(served, tmp_path):
    _, _, server, _ = served
    server.lm = tiny_language_model()
    values = {
        "model": {"name": "tiny"},
        "data": {"source": "tiny"},
        "judge": {"kind": "Rule", "score": "shorter"},
        "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
        "arena": {"samples": 3, "max_new_tokens": 5, "engine": {"url": server.url, "model": "base"}},
        "evaluate": {"every": 0, "held_out": 0},
        "run": {"rounds": 1, "out": str(tmp_path / "run")},
        "log": {"tensorboard": False},
    }
    (row,) = run(values).rows
    assert {body["model"] for path, body, _ in server.asked if path.endswith("completions")} == {"base"}
    assert row["discrepancy"]["largest"] < 1e-4
    values["arena"] = {**values["arena"], "engine": {"url": "nowhere", "model": "base"}}
    values["run"] = {"rounds": 1, "out": str(tmp_path / "other")}
    with pytest.raises(ConfigError, match=r"arena.engine.*must begin with http"):
        run(values)
    assert "discrepancy" not in run(values, tiny=True).rows[0]


@pytest.mark.skipif("VLLM_URL" not in os.environ, reason="needs a server: VLLM_URL, VLLM_MODEL, VLLM_PATH")
def test_a_real_server(tmp_path):
    """vllm serve PATH --served-model-name MODEL --dtype float32 --enable-lora, in processed_logprobs mode."""
    lm = LanguageModel.from_pretrained(os.environ["VLLM_PATH"], lora=8, dtype="float32")
    engine = VLLM(os.environ["VLLM_URL"], os.environ["VLLM_MODEL"], folder=tmp_path)
    prompts = [lm.encode(text) for text in ("What is 1 plus 2?", "4")]
    policy = trained(lm)
    for leaf in (BASE, policy):
        for temperature, shortest in ((1.0, 0), (0.7, 4)):
            how = {"max_new_tokens": 12, "min_new_tokens": shortest, "temperature": temperature}
            samples = engine.generate(lm, leaf, prompts, 8, **how)
            assert engine.reports[-1].largest < 1e-3 and min(map(len, samples.tokens)) > shortest
    moved = VLLM(engine.url, engine.model, folder=tmp_path / "moved")
    assert moved.generate(lm, policy, prompts, 8, **how).tokens == samples.tokens
