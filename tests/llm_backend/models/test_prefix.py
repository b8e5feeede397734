"""The pass that responses to one prompt share, and the fused parts of layers, against the plain pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_backend.models import prefix
from llm_backend.models.fused import LoraProduct, RmsNorm, SwiGlu
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import score, token_logprobs
from llm_backend.policies.handles import BASE
from tests.support.llm_families import SHAPES, model_of
from tests.support.llm_oracles import trained
from tests.support.llm_tiny import tiny_lm, tiny_model, tiny_tokenizer

PROMPTS = [[1, 4, 5, 6], [1, 4, 5, 6], [1, 7], [1, 7], [1, 7], [1, 8, 9, 9, 9, 9]]
ANSWERS = [[5, 6, 7, 8, 2], [9, 2], [4], [4, 4, 4, 4, 4, 4, 4], [5, 6], [7, 7, 7]]


def values_and_slopes(lm, share, start=None):
    with lm.train(start or trained(lm)) as trainee:
        values, mask = token_logprobs(lm, PROMPTS, ANSWERS, 0.7, 0, share)
        (values * torch.arange(values.numel()).view_as(values)).sum().backward()
        slopes = {name: p.grad.clone() for name, p in trainee.parameters.items() if p.grad is not None}
    return values.detach(), mask, slopes


def assert_same(lm):
    (values, mask, slopes), (want, its_mask, wanted) = (
        values_and_slopes(lm, share) for share in (True, False)
    )
    torch.testing.assert_close(values, want, atol=3e-5, rtol=1e-5)
    assert torch.equal(mask, its_mask)
    assert slopes.keys() == wanted.keys()
    largest = max(float(slope.abs().max()) for slope in wanted.values())
    for name, slope in wanted.items():
        torch.testing.assert_close(slopes[name], slope, atol=1e-5 * largest, rtol=1e-4)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("lora", [4, None])
def test_a_shared_pass_has_the_values_and_gradients_of_the_plain_one(kind, lora):
    lm = model_of(kind, lora)
    assert prefix.quick_ways(lm).shared
    assert_same(lm)


@pytest.mark.parametrize("lora", [4, None])
def test_a_recomputed_layer_attends_as_in_its_first_pass(lora):
    tokenizer = tiny_tokenizer()
    lm = LanguageModel(tiny_model(len(tokenizer), layers=2), tokenizer, lora, checkpointing=True)
    assert prefix.quick_ways(lm).shared
    assert_same(lm)


def test_a_model_with_another_attention_keeps_the_plain_pass():
    from transformers import BloomConfig, BloomForCausalLM

    tokenizer = tiny_tokenizer()
    config = BloomConfig(vocab_size=len(tokenizer), hidden_size=32, n_layer=2, n_head=2, bos_token_id=1)
    lm = LanguageModel(BloomForCausalLM(config), tokenizer, None)
    assert not prefix.quick_ways(lm).shared
    assert prefix.shared_states(lm, PROMPTS, ANSWERS) is None
    assert_same(lm)


def test_rows_beyond_a_sliding_window_keep_the_plain_pass():
    lm = tiny_lm()
    assert prefix.shared_states(lm, PROMPTS, ANSWERS) is not None
    lm.causal.config.sliding_window = 9
    assert prefix.shared_states(lm, PROMPTS, ANSWERS) is not None
    lm.causal.config.sliding_window = 8  # the longest row has 9 tokens
    assert prefix.shared_states(lm, PROMPTS, ANSWERS) is None
    lm.causal.config.sliding_window = None
    lm.causal.config.index_topk = 4  # layers that choose what they attend to
    assert prefix.shared_states(lm, PROMPTS, ANSWERS) is None


def test_different_prompts_gain_nothing_and_are_not_shared():
    lm = tiny_lm()
    assert prefix.shared_states(lm, [[1] * 9, [4] * 9], [[6, 7], [8, 9]]) is None


def test_scores_of_many_rows_do_not_depend_on_their_order():
    lm, order = tiny_lm(), np.random.default_rng(0).permutation(len(PROMPTS))
    policy = trained(lm)
    want = [score(lm, policy, [p], [a])[0] for p, a in zip(PROMPTS, ANSWERS, strict=True)]
    for rows in (2, 64):
        got = score(lm, policy, [PROMPTS[i] for i in order], [ANSWERS[i] for i in order], rows=rows)
        np.testing.assert_allclose(got, np.array(want)[order], atol=1e-5)


def test_the_attention_and_the_parts_of_the_model_are_put_back():
    lm = tiny_lm()
    before = lm.causal.config._attn_implementation
    score(lm, BASE, PROMPTS, ANSWERS)
    assert lm.causal.config._attn_implementation == before
    assert not any("forward" in vars(module) for module in lm.causal.modules())


def test_fused_parts_have_exact_gradients():
    draw = torch.Generator().manual_seed(0)

    def some(*shape):
        return torch.randn(shape, generator=draw, dtype=torch.float64, requires_grad=True)

    x, down, up = some(3, 5), some(2, 5), some(4, 2)
    weight = some(4, 5).detach()
    assert torch.autograd.gradcheck(
        lambda x, a, b: LoraProduct.apply(x, weight, None, a, b, 0.5), (x, down, up)
    )
    want = x @ weight.T + 0.5 * x @ down.T @ up.T
    torch.testing.assert_close(LoraProduct.apply(x, weight, None, down, up, 0.5), want)
    gain = some(5)
    assert torch.autograd.gradcheck(lambda x, w: RmsNorm.apply(x, w, 1e-2), (x, gain))
    torch.testing.assert_close(
        RmsNorm.apply(x, gain, 1e-2), torch.nn.functional.rms_norm(x, (5,), gain, 1e-2)
    )
    assert torch.autograd.gradcheck(SwiGlu.apply, (some(3, 4), some(3, 4)))
