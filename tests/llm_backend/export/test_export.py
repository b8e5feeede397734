"""A policy leaves as a plain model or as an adapter, with the logits it had; a full disk leaves nothing."""

import errno
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from llm_backend.export import Card, merge, write_peft
from llm_backend.export.folders import new_folder
from llm_backend.policies.handles import BASE, geometric_mixture, mixture
from llm_backend.tiny import tiny_language_model
from tests.support.llm_families import model_of
from tests.support.llm_oracles import full_logits, trained
from tests.support.llm_tiny import tiny_lm

PROMPT = [1, 5, 6, 7]


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([PROMPT]), use_cache=False).logits[0, -1:].double()


@pytest.mark.parametrize("lora", [4, None])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_merged_model_has_the_policys_logits(kind, lora, tmp_path):
    lm = model_of(kind, lora)
    policy = trained(lm)
    expected, base = full_logits(lm, policy, PROMPT, []), full_logits(lm, BASE, PROMPT, [])
    merge(lm, policy, tmp_path / "merged")
    loaded, report = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not any(report.values()) and not any("lora" in name for name, _ in loaded.named_parameters())
    torch.testing.assert_close(logits(loaded), expected, rtol=0, atol=2e-5)
    assert (expected - base).abs().max() > 0.01
    torch.testing.assert_close(full_logits(lm, policy, PROMPT, []), expected, rtol=0, atol=0)  # still there
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert tokenizer("a b")["input_ids"] == lm.tokenizer("a b")["input_ids"]


def test_the_base_merges_to_itself(tmp_path):
    lm = tiny_lm()
    trained(lm)
    merge(lm, BASE, tmp_path / "base")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    torch.testing.assert_close(logits(loaded), full_logits(lm, BASE, PROMPT, []), rtol=0, atol=0)


def test_weights_in_bfloat16_keep_their_dtype(tmp_path):
    lm = tiny_lm()
    lm.causal.to(torch.bfloat16)
    policy = trained(lm)
    merge(lm, policy, tmp_path / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert loaded.dtype == torch.bfloat16
    np.testing.assert_allclose(logits(loaded), full_logits(lm, policy, PROMPT, []), atol=0.3)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_an_adapter_folder_is_the_policy_in_peft(tmp_path):
    lm = tiny_language_model()
    policy = trained(lm)
    write_peft(lm, policy, tmp_path / "adapter", Card("the-base"))
    merge(lm, BASE, tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    with_adapter = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    torch.testing.assert_close(logits(with_adapter), full_logits(lm, policy, PROMPT, []), rtol=0, atol=2e-5)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "the-base" and config["r"] == 4
    files = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors", "README.md"}


def test_others_may_read_what_leaves(tmp_path):
    lm = tiny_lm()
    merge(lm, trained(lm), tmp_path / "out")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o644}


def test_what_is_no_single_model_is_refused(tmp_path):
    lm, full = tiny_lm(), tiny_lm(lora=None)
    policy = trained(lm)
    blend, mixed = geometric_mixture((0.5, policy), (0.5, BASE)), mixture((0.5, policy), (0.5, BASE))
    for one in (blend, mixed):
        with pytest.raises(ValueError, match=r"is not one set of weights: distil it first"):
            merge(lm, one, tmp_path / "out")
        with pytest.raises(ValueError, match="only a LoRA policy is an adapter"):
            write_peft(lm, one, tmp_path / "out")
    with pytest.raises(ValueError, match="a full set of weights: merge it"):
        write_peft(full, trained(full), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_folder_in_use_is_not_overwritten(tmp_path):
    lm = tiny_lm()
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="pass the name of a new folder"):
        merge(lm, BASE, tmp_path / "used")
    assert (tmp_path / "used" / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    merge(lm, BASE, tmp_path / "empty")
    assert (tmp_path / "empty" / "config.json").is_file()


def test_the_card_says_how_the_policy_was_made(tmp_path):
    lm = tiny_lm()
    measured = {"win_rate_reference": {"mean": 0.8125, "margin": 0.04}, "past": {"3": 0.5}, "loss": [1.0]}
    merge(lm, BASE, tmp_path / "out", Card("some/base", "INPO(tau=0.05)", "a|judge", 0.05, 30, measured))
    text = (tmp_path / "out" / "README.md").read_text()
    for line in (
        "base_model: some/base",
        "| solver | `INPO(tau=0.05)` |",
        "| judge | `a/judge` |",
        "| tau | 0.05 |",
        "| rounds | 30 |",
        "| win_rate_reference | 0.8125 ± 0.04 |",
        "| past | 3 0.5 |",
    ):
        assert line in text


@pytest.mark.parametrize("what", ["merge", "write_peft"])
def test_a_full_disk_is_one_error_that_names_the_file(what, tmp_path):
    """A limit on the size of files stands for the full disk."""
    code = f"""
        import resource, signal
        from llm_backend.export import merge, write_peft
        from tests.support.llm_oracles import trained
        from tests.support.llm_tiny import tiny_lm
        lm = tiny_lm(width=64)
        policy = trained(lm)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        try:
            {what}(lm, policy, {str(tmp_path / "out")!r})
        except OSError as error:
            print(error.errno, error.filename)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    number, file = done.stdout.split()
    assert int(number) == errno.EFBIG
    assert os.path.dirname(file) == str(tmp_path / "out") and file.endswith(".safetensors")
    assert not any(tmp_path.iterdir())


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with (
        pytest.raises(OSError, match="No space left on device") as error,
        new_folder(tmp_path / "out") as new,
    ):
        (new / "part").write_text("x")
        assert not (tmp_path / "out").exists()
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / "out" / "part")
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out"):
        raise KeyboardInterrupt
    assert not any(tmp_path.iterdir())
