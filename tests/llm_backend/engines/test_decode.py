"""The decoder against the model's own full forward pass."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from llm_backend.engines.local.decode import General, decoder
from llm_backend.engines.local.lean import Lean
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE
from tests.support.llm_families import FORCED, SHAPES, model_of
from tests.support.llm_oracles import PROMPTS, full_logits, trained
from tests.support.llm_tiny import tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")  # PEFT on GPT-2


def decoded_logits(lm: LanguageModel, leaves: list, prompts=PROMPTS, forced=FORCED) -> Tensor:
    """The same for every prompt and leaf, through the decoder: [leaves, prompts, L + 1, V]."""
    width, steps = max(map(len, prompts)), len(forced[0])
    ids = torch.tensor([[lm.pad] * (width - len(p)) + p for p in prompts])
    valid = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in prompts])
    copies = torch.arange(len(leaves) * len(prompts))
    with torch.inference_mode():
        one = decoder(lm, leaves, [len(prompts)] * len(leaves))
        seen = [one.head(one.prefill(ids, valid, copies, steps))]
        for t in range(steps):
            fed = torch.tensor([row[t] for row in forced]).repeat(len(leaves))
            seen.append(one.head(one.step(fed)))
    return torch.stack(seen, dim=1).unflatten(0, (len(leaves), len(prompts))).double()


@pytest.mark.parametrize("kind", SHAPES)
def test_decoded_logits_are_those_of_a_full_pass(kind):
    """Every leaf of a mixed batch, left-padded prompts, positions absolute (GPT-2) and rotary."""
    lm = model_of(kind, lora=4)
    leaves = [trained(lm, 0), BASE, trained(lm, 1)]
    got = decoded_logits(lm, leaves)
    for i, leaf in enumerate(leaves):
        for x, (prompt, tokens) in enumerate(zip(PROMPTS, FORCED, strict=True)):
            expected = full_logits(lm, leaf, prompt, tokens)
            assert (got[i, x] - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))
    assert isinstance(decoder(lm, [BASE], [1]), General if kind == "gpt2" else Lean)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_decoded_logits_of_fully_trained_weights(kind):
    lm = model_of(kind, lora=None)
    policy = trained(lm)
    for leaf in (policy, BASE):
        expected = torch.stack([full_logits(lm, leaf, *row) for row in zip(PROMPTS, FORCED, strict=True)])
        assert torch.allclose(decoded_logits(lm, [leaf])[0], expected, atol=1e-5, rtol=1e-5)
    assert (decoded_logits(lm, [policy]) - decoded_logits(lm, [BASE])).abs().max() > 0.1


def test_prompts_may_be_read_a_few_at_a_time(monkeypatch):
    lm = model_of("llama", lora=4)
    leaves = [trained(lm), BASE]
    whole = decoded_logits(lm, leaves)
    monkeypatch.setattr("llm_backend.engines.local.lean.PREFILL_TOKENS", 6)  # one padded prompt at a time
    assert torch.allclose(whole, decoded_logits(lm, leaves), atol=1e-5)
    even = [[1, 4, 5]] * 3
    expected = torch.stack([full_logits(lm, BASE, *row) for row in zip(even, FORCED, strict=True)])
    assert torch.allclose(decoded_logits(lm, leaves, even)[1], expected, atol=1e-5, rtol=1e-5)


def test_half_precision_stays_within_its_rounding():
    """Adapters are float32 beside a bfloat16 base; a full pass rounds differently, so the bound is loose."""
    lm = model_of("llama", lora=4)
    exact = decoded_logits(lm, [trained(lm), BASE])
    tokenizer, half = tiny_tokenizer(), model_of("llama", lora=None).causal.to(torch.bfloat16)
    low = LanguageModel(half, tokenizer, lora=4)
    got = decoded_logits(low, [trained(low), BASE])
    assert (got[1] - exact[1]).abs().max() <= 0.03 * float(exact.abs().max())
    expected = torch.stack([full_logits(low, BASE, *row) for row in zip(PROMPTS, FORCED, strict=True)])
    assert (got[1] - expected).abs().max() <= 0.03 * float(expected.abs().max())
    assert (got[0] - got[1]).abs().max() > 0.1 * float(expected.abs().max())


def test_packed_weights_change_rounding_only(monkeypatch):
    lm = model_of("qwen2", lora=4)
    leaves = [trained(lm), BASE]
    packed = decoded_logits(lm, leaves)
    monkeypatch.setattr("llm_backend.engines.local.lean.PACKED_BYTES", 0)
    assert torch.allclose(packed, decoded_logits(lm, leaves), atol=1e-5)


def test_left_padding_without_position_ids_would_be_wrong():
    """Negative control: without explicit positions GPT-2 counts from the start of the padding."""
    lm = model_of("gpt2", lora=None)
    prompt = PROMPTS[1]
    ids, mask = torch.tensor([[lm.pad] * 3 + prompt]), torch.tensor([[0] * 3 + [1] * len(prompt)])
    with torch.no_grad():
        careless = lm.causal(input_ids=ids, attention_mask=mask).logits[0, -1].double()
    assert (careless - full_logits(lm, BASE, prompt, [])[-1]).abs().max() > 1e-2


def test_base_rows_of_a_mixed_batch_never_see_the_adapter():
    lm = model_of("llama", lora=4)
    mixed = decoded_logits(lm, [trained(lm), BASE])[1]
    assert torch.allclose(mixed, decoded_logits(lm, [BASE])[0], atol=1e-5)
    assert (mixed - decoded_logits(lm, [trained(lm)])[0]).abs().max() > 0.1


def test_a_llama_that_computes_something_else_is_decoded_by_its_own_pass():
    """Its configuration says Llama, but its MLP has a factor of its own."""
    lm = model_of("llama", lora=4)
    for layer in lm.causal.model.layers:
        layer.mlp.register_forward_hook(lambda module, inputs, output: 0.5 * output)
    leaves = [trained(lm, 0), BASE]
    assert isinstance(decoder(lm, leaves, [1, 1]), General)
    got = decoded_logits(lm, leaves)
    for i, leaf in enumerate(leaves):
        expected = torch.stack([full_logits(lm, leaf, *row) for row in zip(PROMPTS, FORCED, strict=True)])
        assert torch.allclose(got[i], expected, atol=1e-5, rtol=1e-5)
