"""Adapters on disk: read back to the bit, refused on another model or when cut short."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE
from llm_backend.weights.adapter_files import fingerprint
from tests.support.llm_oracles import rows, trained
from tests.support.llm_tiny import tiny_lm


def test_adapters_on_disk(lm, tmp_path):
    prompts, answers = rows(lm)
    adapter = trained(lm, size=0.05)
    lm.save(adapter, tmp_path / "a.safetensors")
    loaded = lm.load(tmp_path / "a.safetensors")
    assert loaded.id == adapter.id
    np.testing.assert_array_equal(score(lm, loaded, prompts, answers), score(lm, adapter, prompts, answers))
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut short"):
        lm.load(tmp_path / "cut.safetensors")
    with pytest.raises(ValueError, match="another base"):
        tiny_lm(lora=lm.lora, seed=1).load(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="lora="):
        tiny_lm(lora=4).load(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="belongs to another LanguageModel"), tiny_lm().active(adapter):
        pass


def with_moments(lm):
    """A policy of small weights, and moments of the same shapes."""
    adapter = trained(lm, size=0.05)
    with lm.train(adapter) as trainee:
        moments = {name: torch.ones_like(one) for name, one in trainee.parameters.items()}
        return lm.freeze(trainee, moments)


@pytest.mark.parametrize("value", [1e6, float("nan"), -0.0])
def test_every_number_is_in_the_fingerprint(value):
    wide = torch.zeros(32, 8192)
    before = fingerprint([("w", wide)])
    wide.view(-1)[1] = value
    assert fingerprint([("w", wide)]) != before


def test_equal_numbers_in_another_shape_or_under_another_name_are_other_weights():
    one = torch.arange(6.0)
    prints = {
        fingerprint([(name, one.reshape(shape))]) for name in ("a", "b") for shape in ((6,), (2, 3), (3, 2))
    }
    assert len(prints) == 6
    assert fingerprint([("a", one.bfloat16())]) == fingerprint([("a", one)])  # the same numbers


@pytest.mark.parametrize("kind", ["weights", "moments"])
@pytest.mark.parametrize("value", [7.0, float("nan")])
def test_a_changed_number_of_a_weight_or_moment_is_refused(lm, tmp_path, kind, value):
    path = tmp_path / "a.safetensors"
    lm.save(with_moments(lm), path)
    lm.load(path)
    with safe_open(path, "pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    name = next(name for name in tensors if name.startswith(kind))
    tensors[name].view(-1)[1] = value
    save_file(tensors, path, about)
    with pytest.raises(ValueError, match="has changed since it was written"):
        lm.load(path)


def test_another_tensor_and_another_format_are_named(lm, tmp_path):
    path = tmp_path / "a.safetensors"
    lm.save(trained(lm, size=0.05), path)
    with safe_open(path, "pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    save_file(tensors | {"other.x": torch.zeros(1)}, path, about)
    with pytest.raises(ValueError, match=r"holds 'other.x', which is not a weight or moment"):
        lm.load(path)
    save_file(tensors, path, {name: value for name, value in about.items() if name != "format"})
    with pytest.raises(ValueError, match="written by another version of this program"):
        lm.load(path)


def test_equal_policies_are_equal_bytes(lm, tmp_path):
    adapter = with_moments(lm)
    contents = set()
    for i in range(8):  # the library writes its metadata in a random order
        lm.save(adapter, tmp_path / f"{i}.safetensors")
        contents.add((tmp_path / f"{i}.safetensors").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_weights_that_are_not_finite_are_no_policy(lm, value):
    with lm.train(BASE) as trainee, torch.no_grad():
        for parameter in trainee.parameters.values():
            parameter.fill_(value)
        with pytest.raises(FloatingPointError, match=r"not finite .*: lower Fit\.lr or the solver's step"):
            lm.freeze(trainee)
