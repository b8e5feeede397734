"""Slots of weights on one model: the base is untouched, handles are immutable and freed."""

import gc

import numpy as np
import torch

from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE
from tests.support.llm_oracles import rows, trained
from tests.support.llm_tiny import tiny_lm, tiny_model, tiny_tokenizer


def test_adapter_off_is_the_base_to_the_bit(lm):
    """With a negative control: a 'base' that leaves the adapter on is another model."""
    plain = tiny_model(len(tiny_tokenizer()), spread=0.2)
    ids = torch.tensor([[1, 5, 7, 9]])
    adapter = trained(lm, size=0.05)
    with torch.no_grad():
        expected = plain(input_ids=ids).logits
        with lm.active(adapter):
            moved = lm.causal(input_ids=ids).logits
            with lm.active(BASE):
                inner = lm.causal(input_ids=ids).logits
            again = lm.causal(input_ids=ids).logits
        after = lm.causal(input_ids=ids).logits
    assert torch.equal(inner, expected)
    assert torch.equal(after, expected)
    assert torch.equal(again, moved)
    assert (moved - expected).abs().max() > 0.05


def test_handles_are_immutable_and_freed(lm):
    prompts, answers = rows(lm)
    first = trained(lm, size=0.05)
    before = score(lm, first, prompts, answers)
    slots = lm.slots.copies if lm.lora is None else lm.peft.peft_config
    held = len(slots)
    with lm.train(first) as trainee:
        for parameter in trainee.parameters.values():
            parameter.data.add_(1.0)
        second = lm.freeze(trainee)
    with lm.train(first):
        pass  # not frozen: forgotten
    assert len(slots) == held + 1
    np.testing.assert_array_equal(score(lm, first, prompts, answers), before)
    assert np.abs(score(lm, second, prompts, answers) - before).max() > 0.1
    del second
    gc.collect()
    with lm.active(BASE):  # when the model is next used
        assert len(slots) == held


def test_a_handle_may_be_collected_while_modules_are_walked():
    lm = tiny_lm(lora=8)
    circle: list[object] = [trained(lm, size=0.05)]
    circle.append(circle)
    del circle  # from here on only the garbage collector finds the handle, whenever it likes
    for name, _ in lm.causal.named_modules():
        if name.endswith("q_proj.lora_A.start"):
            gc.collect()
    with lm.active(BASE):
        assert list(lm.peft.peft_config) == ["start"]
