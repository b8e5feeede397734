"""Mixtures decoded token by token, and their correction to mixtures of whole responses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from llm_backend.engines.local import rollout
from llm_backend.engines.local.generate import generate
from llm_backend.engines.local.randomness import draw
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE, Answers, geometric_mixture, mixture
from tests.support.llm_families import FORCED, model_of, total_variation
from tests.support.llm_oracles import PROMPTS, full_logits, trained
from tests.support.llm_tiny import tiny_lm

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")  # PEFT on GPT-2


def recorded(monkeypatch, lm, policy, prompts, **how):
    """(samples, next-token distributions [T, R, V] that they were drawn from); no row is dropped."""
    seen = []

    def recorder(logits, u):
        seen.append(torch.softmax(logits.double(), dim=-1))
        return draw(logits, u)

    monkeypatch.setattr(rollout, "draw", recorder)
    monkeypatch.setattr(rollout, "SPARSE", -1.0)
    return generate(lm, policy, prompts, **how), seen


def mixture_error(lm, terms, samples, seen, prompts, temperature=1.0) -> float:
    """Largest TV between the distributions drawn from and the mixture of full forward passes."""
    worst = 0.0
    for i, (x, tokens) in enumerate(zip(samples.prompt, samples.tokens, strict=True)):
        logs = [
            w * torch.log_softmax(full_logits(lm, leaf, prompts[x], tokens[:-1]) / temperature, -1)
            for w, leaf in terms
        ]
        exact = torch.softmax(torch.stack(logs).sum(0), -1)
        order = [i for i, _ in sorted(enumerate(samples.prompt), key=lambda s: -len(prompts[s[1]]))]
        for t in range(len(tokens)):
            worst = max(worst, total_variation(seen[t][order.index(i)], exact[t]))
    return worst


@pytest.mark.parametrize("lora", [4, None])
def test_mixture_decoding_is_the_mixture_of_full_passes_at_every_step(monkeypatch, lora):
    lm = model_of("llama", lora)
    first, second = trained(lm, 0), trained(lm, 1)
    blend = geometric_mixture((0.7, first), (0.5, BASE), (-0.2, second))
    samples, seen = recorded(monkeypatch, lm, blend, PROMPTS, n=2, max_new_tokens=8, temperature=1.4)
    assert mixture_error(lm, blend.terms, samples, seen, PROMPTS, 1.4) <= 1e-5
    assert max(map(len, samples.tokens)) > 3


def test_one_cache_for_policy_and_reference_fails_that_test():
    """Negative control: both models append to one cache, as in TRL's mixture (all versions that have it)."""
    from transformers import DynamicCache

    lm = model_of("llama", lora=4)
    policy, prompt, tokens = trained(lm), PROMPTS[2], FORCED[2]

    def decoded(caches):
        seen, ids = [], prompt
        for token in [*tokens, None]:
            logits = 0.0
            for leaf, cache in zip((policy, BASE), caches, strict=True):
                with torch.no_grad(), lm.active(leaf):
                    out = lm.causal(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True)
                logits = logits + 0.5 * out.logits[0, -1].double()
            seen.append(torch.softmax(torch.as_tensor(logits), -1))
            ids = [token]
        return torch.stack(seen)

    halves = [0.5 * full_logits(lm, leaf, prompt, tokens) for leaf in (policy, BASE)]
    exact = torch.softmax(halves[0] + halves[1], -1)
    cache = DynamicCache(config=lm.causal.config)
    assert total_variation(decoded([DynamicCache(config=lm.causal.config) for _ in "ab"]), exact) <= 1e-5
    assert total_variation(decoded([cache, cache]), exact) > 1e-2


def test_live_adapter_as_reference_fails_that_test(monkeypatch):
    """Negative control: a reference that keeps the adapter on makes the mixture the policy itself."""
    lm = model_of("llama", lora=4)
    policy = trained(lm)
    blend = geometric_mixture((0.5, policy), (0.5, BASE))
    samples, seen = recorded(monkeypatch, lm, policy, PROMPTS, max_new_tokens=5)
    assert mixture_error(lm, ((0.5, policy), (0.5, policy)), samples, seen, PROMPTS) <= 1e-5
    assert mixture_error(lm, blend.terms, samples, seen, PROMPTS) > 1e-2


def enumerated(lm, blend, prompt, longest):
    """All responses of at most `longest` tokens; their probabilities token by token and as wholes."""
    vocabulary = lm.head.weight.shape[0]
    words = [v for v in range(vocabulary) if v != lm.eos]
    responses = [[*body, lm.eos] for size in range(longest) for body in itertools.product(words, repeat=size)]
    responses += [list(body) for body in itertools.product(words, repeat=longest)]
    whole = sum(w * score(lm, leaf, [prompt] * len(responses), responses) for w, leaf in blend.terms)
    whole = np.exp(whole - whole.max())
    token_level = []
    tables = {}
    for response in responses:
        log = 0.0
        for t, token in enumerate(response):
            before = tuple(response[:t])
            if before not in tables:
                parts = [w * full_logits(lm, leaf, prompt, list(before))[-1] for w, leaf in blend.terms]
                tables[before] = torch.log_softmax(torch.stack(parts).sum(0), -1)
            log += float(tables[before][token])
        token_level.append(np.exp(log))
    return responses, np.array(token_level), whole / whole.sum()


def test_token_level_is_not_the_mixture_of_wholes_and_resampling_mends_it():
    lm = tiny_lm(words=("a", "b"), layers=2, spread=0.5)
    blend = geometric_mixture((0.5, trained(lm, 0, 0.4)), (0.5, BASE))
    prompt = [1, 4, 5]
    responses, by_token, whole = enumerated(lm, blend, prompt, 3)
    assert by_token.sum() == pytest.approx(1, abs=1e-5)
    gap = 0.5 * np.abs(by_token - whole).sum()
    assert gap > 0.05
    place = {tuple(response): i for i, response in enumerate(responses)}

    def distance(to, **how):
        samples = generate(lm, blend, [prompt], 4000, max_new_tokens=3, key=(1,), rows=4000, **how)
        counts = np.bincount([place[tuple(t)] for t in samples.tokens], minlength=len(responses))
        return 0.5 * np.abs(counts / counts.sum() - to).sum()

    plain, mended, noise = distance(whole), distance(whole, correct=8), distance(by_token)
    assert plain > 0.8 * gap
    assert mended < 0.5 * plain
    assert noise < 0.5 * plain


def test_of_a_league_only_the_geometric_mixtures_are_mended():
    lm = tiny_lm(words=("a", "b"), layers=2, spread=0.5)
    leaves = [trained(lm, seed, 0.4) for seed in (0, 1)]
    blends = [geometric_mixture((0.5, leaf), (0.5, BASE)) for leaf in leaves]
    answers = Answers((("a", "b a"),) * 2, (np.array([0.25, 0.75]),) * 2)
    league = mixture((0.5, blends[0]), (0.2, blends[1]), (0.2, leaves[0]), (0.1, answers))
    prompt = [1, 4, 5]
    responses, *first = enumerated(lm, blends[0], prompt, 3)
    _, *second = enumerated(lm, blends[1], prompt, 3)
    place = {tuple(response): i for i, response in enumerate(responses)}
    said = np.zeros(len(responses))
    said[[place[tuple(lm.encode_response(text))] for text in ("a", "b a")]] = 0.25, 0.75
    rest = 0.2 * np.exp(score(lm, leaves[0], [prompt] * len(responses), responses)) + 0.1 * said
    by_token, whole = (0.5 * one + 0.2 * two + rest for one, two in zip(first, second, strict=True))
    assert by_token.sum() == pytest.approx(1, abs=1e-5) and whole.sum() == pytest.approx(1, abs=1e-5)

    how = {"max_new_tokens": 3, "key": (1,), "rows": 4000}

    def distance(to, **more):
        tokens = generate(lm, league, [prompt], 4000, **how, **more).tokens
        counts = np.bincount([place[tuple(t)] for t in tokens], minlength=len(responses))
        return 0.5 * np.abs(counts / counts.sum() - to).sum()

    plain, mended, noise = distance(whole), distance(whole, correct=8), distance(by_token)
    assert mended < 0.5 * plain and noise < 0.5 * plain
    few = generate(lm, league, [prompt] * 2, 6, correct=3, **how)
    alone = generate(lm, league, [prompt], 6, correct=3, which=[1], **how)
    assert few.prompt.tolist() == [0] * 6 + [1] * 6 and few.tokens[6:] == alone.tokens
    assert all(few.tokens)


def test_a_corrected_mixture_of_a_minimum_length():
    """Importance weights take the conditioned probabilities, of candidates and of leaves."""
    lm = tiny_lm(words="abc", spread=0.3, seed=2)
    blend = geometric_mixture((0.9, trained(lm, seed=1)), (0.9, trained(lm, seed=2)))
    rest = [token for token in range(len(lm.tokenizer)) if token not in lm.stops]
    responses = [[a, b] for a in rest for b in rest]

    def first_tokens(shortest):
        asked = [PROMPTS[0]] * len(responses)
        logs = sum(w * score(lm, leaf, asked, responses, shortest=shortest) for w, leaf in blend.terms)
        share = np.exp(logs).reshape(len(rest), -1).sum(axis=1)
        return share / share.sum()

    how = {"max_new_tokens": 2, "min_new_tokens": 2, "correct": 8, "key": (1,)}
    samples = generate(lm, blend, PROMPTS[:1], 2000, **how)
    drawn = np.bincount([rest.index(row[0]) for row in samples.tokens], minlength=len(rest)) / 2000
    assert np.abs(drawn - first_tokens(2)).sum() / 2 < 0.03
    assert np.abs(drawn - first_tokens(0)).sum() / 2 > 0.3, "of whole responses that may also stop"
