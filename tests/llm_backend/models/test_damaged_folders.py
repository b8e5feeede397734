"""Model folders that are damaged or of another kind, devices and dtypes that are not there: one line each."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from llm_backend import LanguageModel, judges
from llm_backend.tiny import PROMPTS, random_llama, tiny_tokenizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "whole"
    tokenizer = tiny_tokenizer([*PROMPTS, "user assistant"])
    model = random_llama(len(tokenizer), 16, 16, 2, room=64)
    model.save_pretrained(folder, max_shard_size="8KB")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "m")
    return tmp_path / "m"


def refused(folder, **how):
    with pytest.raises(ValueError) as error:
        LanguageModel.from_pretrained(folder, lora=2, **{"device": "cpu", **how})
    said = str(error.value)
    assert "\n" not in said and len(said) < 700
    return said


def shard(folder):
    return sorted(folder.glob("model-*.safetensors"))[1]


DAMAGES = {
    "a shard is missing": lambda f: shard(f).unlink(),
    "a shard is cut": lambda f: shard(f).write_bytes(shard(f).read_bytes()[:-40]),
    "a shard is junk": lambda f: shard(f).write_bytes(b"junk"),
    "a shard is empty": lambda f: shard(f).write_bytes(b""),
    "the index is damaged": lambda f: (f / "model.safetensors.index.json").write_text("{"),
    "the index is missing": lambda f: (f / "model.safetensors.index.json").unlink(),
    "the configuration is damaged": lambda f: (f / "config.json").write_text("{"),
    "the configuration is of no model": lambda f: (f / "config.json").write_text("{}"),
    "the tokenizer is damaged": lambda f: (f / "tokenizer.json").write_text("{}"),
    "the tokenizer is cut": lambda f: (f / "tokenizer.json").write_text('{"version": "1.0", "mod'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_named(damage, folder):
    DAMAGES[damage](folder)
    assert str(folder) in refused(folder)


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "num_attention_heads"])
def test_weights_of_another_shape_are_named(key, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: config[key] * 3}))
    assert str(folder) in refused(folder)


def test_a_weight_that_is_missing_is_named(folder):
    kept = load_file(shard(folder))
    name, _ = kept.popitem()
    save_file(kept, shard(folder), {"format": "pt"})
    assert name in refused(folder)


def test_weights_without_a_place_are_named(folder):
    config = json.loads((folder / "config.json").read_text())
    kept = load_file(shard(folder))
    save_file({**kept, "value_head.weight": torch.ones(3)}, shard(folder), {"format": "pt"})
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"]["value_head.weight"] = shard(folder).name
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.warns(UserWarning, match=r"1 weights that LlamaForCausalLM has no place for.*value_head"):
        LanguageModel.from_pretrained(folder, lora=2, device="cpu")
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    assert "weights of more layers than its config.json says (model.layers.1." in refused(folder)


@pytest.mark.parametrize("device", ["foo", "cpu:x", "meta", "xpu"])
def test_a_device_that_is_not_there_is_named(device, folder):
    assert "use 'cpu'" in refused(folder, device=device) and device in refused(folder, device=device)


@pytest.mark.parametrize("dtype", ["nn", "fp16", "int8", "complex64", torch.int32])
def test_a_dtype_that_is_none_of_weights_is_named(dtype, folder):
    assert "is not a dtype of weights: use 'auto' or one of float16" in refused(folder, dtype=dtype)


@pytest.mark.parametrize("judge", [judges.LogProb, judges.RewardModel])
def test_judges_check_their_device_and_dtype(judge, folder):
    with pytest.raises(ValueError, match="device 'foo' is not a device of torch"):
        judge.from_pretrained(str(folder), device="foo")
    with pytest.raises(ValueError, match="dtype 'fp16' is not a dtype of weights"):
        judge.from_pretrained(str(folder), dtype="fp16", device="cpu")
