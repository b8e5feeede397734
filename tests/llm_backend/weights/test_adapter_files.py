"""Adapters on disk: read back to the bit, refused on another model or when cut short."""

import numpy as np
import pytest

from llm_backend.models.logprobs import score
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
