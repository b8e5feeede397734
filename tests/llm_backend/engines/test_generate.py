"""Generation: samples against exact distributions, for any composition of the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from llm_backend.engines.local import rollout
from llm_backend.engines.local.generate import generate, generate_together
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE, Answers, geometric_mixture, mixture
from tests.support.llm_families import model_of
from tests.support.llm_oracles import PROMPTS, full_logits, trained
from tests.support.llm_tiny import tiny_lm

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")  # PEFT on GPT-2


@pytest.mark.parametrize("lora", [4, None])
def test_sampled_logprobs_are_the_scored_ones_at_the_same_temperature_only(lora):
    lm = tiny_lm(lora=lora, layers=2)
    policy = trained(lm)
    samples = generate(lm, policy, PROMPTS, 4, max_new_tokens=8, temperature=1.6, key=(3, 1))
    prompts = [PROMPTS[x] for x in samples.prompt]
    assert np.allclose(samples.logprobs, score(lm, policy, prompts, samples.tokens, 1.6), atol=1e-4)
    assert not np.allclose(samples.logprobs, score(lm, policy, prompts, samples.tokens), atol=0.1)
    assert all(len(a) == len(b) for a, b in zip(samples.by_token, samples.tokens, strict=True))


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_frequencies_match_the_exact_distribution(temperature):
    lm = tiny_lm(spread=0.4)
    policy = trained(lm)
    samples = generate(
        lm, policy, PROMPTS[:1], 6000, max_new_tokens=1, temperature=temperature, key=(5,), rows=6000
    )
    exact = torch.softmax(full_logits(lm, policy, PROMPTS[0], [])[0] / temperature, -1).numpy()
    counts = np.bincount([tokens[0] for tokens in samples.tokens], minlength=len(exact))
    assert chisquare(counts, exact / exact.sum() * counts.sum()).pvalue > 1e-3
    other = torch.softmax(full_logits(lm, policy, PROMPTS[0], [])[0], -1).numpy()
    assert chisquare(counts, other / other.sum() * counts.sum()).pvalue < 1e-6


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("lora", [4, None])
def test_dropping_finished_rows_changes_no_sample(monkeypatch, kind, lora):
    lm = model_of(kind, lora)
    policy = trained(lm)
    requests = [(policy, (0,)), (geometric_mixture((0.6, policy), (0.4, BASE)), (1,))]
    kept = []
    for sparse in (1.0, -1.0):  # drop as soon as one row ends; never
        monkeypatch.setattr(rollout, "SPARSE", sparse)
        kept.append(generate_together(lm, requests, PROMPTS, 8, max_new_tokens=16))
    for dropped, whole in zip(*kept, strict=True):
        assert len(set(map(len, whole.tokens))) > 3
        assert dropped.tokens == whole.tokens
        assert np.allclose(dropped.logprobs, whole.logprobs, atol=1e-5)


def test_samples_do_not_depend_on_what_shares_the_batch():
    lm = tiny_lm(layers=2)
    policy = trained(lm)
    how = {"max_new_tokens": 10}
    alone = generate(lm, policy, PROMPTS, 4, key=(7, 2), **how)
    part = generate(lm, policy, PROMPTS[1:], 2, key=(7, 2), which=[1, 2], **how)
    assert part.tokens == alone.tokens[4:6] + alone.tokens[8:10]
    other = generate(lm, policy, PROMPTS, 4, key=(7, 2), rows=5, **how)
    assert other.tokens == alone.tokens
    base, again = generate_together(lm, [(BASE, (0,)), (policy, (7, 2))], PROMPTS, 4, **how)
    assert again.tokens == alone.tokens
    assert base.tokens == generate(lm, BASE, PROMPTS, 4, key=(0,), **how).tokens
    assert generate(lm, policy, PROMPTS, 4, key=(7, 3), **how).tokens != alone.tokens


def test_truncated_and_ended_responses_are_told_apart():
    lm = tiny_lm()
    samples = generate(lm, BASE, PROMPTS, 40, max_new_tokens=6)
    assert {True, False} == set(samples.truncated.tolist())
    for tokens, truncated in zip(samples.tokens, samples.truncated, strict=True):
        assert lm.eos not in tokens[:-1]
        assert (tokens[-1] != lm.eos) == truncated
        assert len(tokens) == 6 or not truncated
    longer = generate(lm, BASE, PROMPTS, 40, max_new_tokens=6, min_new_tokens=4)
    assert min(map(len, longer.tokens)) >= 5  # 4 tokens, then a stop token at the earliest
    lm.stops = (*lm.stops, 4)
    stopped = generate(lm, BASE, PROMPTS, 40, max_new_tokens=6)
    assert {4, lm.eos} <= {tokens[-1] for tokens in stopped.tokens}
    assert not any(4 in tokens[:-1] for tokens in stopped.tokens)


def test_a_minimum_length_is_scored_as_it_is_drawn():
    lm = tiny_lm()
    lm.stops = (lm.eos, 4)
    policy, longest, shortest, temperature = trained(lm), 4, 2, 0.7
    how = {"max_new_tokens": longest, "min_new_tokens": shortest, "temperature": temperature}
    samples = generate(lm, policy, PROMPTS, 60, **how)
    prompts = [PROMPTS[x] for x in samples.prompt]
    scored = score(lm, policy, prompts, samples.tokens, temperature, shortest=shortest)
    assert np.allclose(scored, samples.logprobs, atol=1e-5)
    free = score(lm, policy, prompts, samples.tokens, temperature)
    assert (scored - free).min() > 0.01, "without the mask every response looks less likely than it is"
    tokens = samples.tokens[0]  # against the whole distribution, renormalised without the stop tokens
    logits = full_logits(lm, policy, prompts[0], tokens)[: len(tokens)] / temperature
    logits[:shortest, list(lm.stops)] = -torch.inf
    by_hand = torch.log_softmax(logits, -1)[torch.arange(len(tokens)), torch.tensor(tokens)].sum()
    assert scored[0] == pytest.approx(float(by_hand), abs=1e-5)


def test_a_league_draws_its_members_and_answers_are_read_out():
    lm = tiny_lm()
    answers = Answers((("a b", "c"),) * 3, (np.array([0.25, 0.75]),) * 3)
    league = mixture((0.5, answers), (0.5, geometric_mixture((0.5, trained(lm)), (0.5, BASE))))
    samples = generate(lm, league, PROMPTS, 400, max_new_tokens=4, key=(2,))
    spoken = [lm.encode_response(text) for text in ("a b", "c")]
    read = [tokens == spoken[0] for tokens in samples.tokens], [t == spoken[1] for t in samples.tokens]
    assert np.mean(read[1]) > 0.3 and 0.08 < np.mean(read[0]) < 0.2
    only = generate(lm, answers, PROMPTS, 4, max_new_tokens=4)
    assert set(np.round(np.exp(only.logprobs), 9)) <= {0.25, 0.75} and not only.truncated.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"max_new_tokens": 0}, "max_new_tokens >= 1"),
        ({"min_new_tokens": 9}, "got 9 and 4"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"prompt_ids": [[1], []]}, "prompt 1 is empty"),
        ({"max_new_tokens": 100}, "the model's context is 64"),
    ],
)
def test_bad_input_is_named(change, message):
    how = {"prompt_ids": PROMPTS, "n": 1, "max_new_tokens": 4} | change
    with pytest.raises(ValueError, match=message):
        generate(tiny_lm(), BASE, **how)


def test_no_prompts_no_samples():
    samples = generate(tiny_lm(), BASE, [], 2, max_new_tokens=4)
    assert len(samples.tokens) == len(samples.prompt) == len(samples.logprobs) == 0
