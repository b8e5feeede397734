"""Invalid input is refused in one line, and nothing is silently reinterpreted."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import pgames as pg

pytest.importorskip("torch")

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import processors
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)
from typer.testing import CliRunner

from llm_backend import LanguageModel, TextArena, judges
from llm_backend.__main__ import app
from llm_backend.fits.fit import Fit
from llm_backend.policies.handles import BASE
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run
from llm_backend.tiny import PROMPTS, tiny_language_model, tiny_tokenizer
from tests.llm_backend.runs.test_runs import as_toml, described
from tests.support.chat_server import Server, reply

SHORTER = judges.Rule(judges.rules.shorter)
SHAPE = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def lm():
    return tiny_language_model()


def tokenizer():
    return tiny_tokenizer([*PROMPTS, "user assistant"])


def llama(tok, vocabulary=None):
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary or len(tok), **SHAPE))


def arena(lm, prompts=PROMPTS[:2], judge=SHORTER, **options):
    return TextArena(
        lm, prompts, judge, **{"samples": 3, "max_new_tokens": 4, "fit": Fit(epochs=1), **options}
    )


# -- models and tokenizers ------------------------------------------------------------------------------


def test_capped_logits_are_refused_however_small_they_are():
    torch.manual_seed(0)
    config = Gemma2Config(vocab_size=60, head_dim=8, final_logit_softcapping=30.0, **SHAPE)
    with pytest.raises(ValueError, match=r"caps its logits"):
        LanguageModel(Gemma2ForCausalLM(config), tokenizer(), lora=2)


@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern:RuntimeWarning")
def test_what_cannot_be_decoded_in_one_batch_is_refused_at_once():
    mamba = MambaForCausalLM(MambaConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1, state_size=2))
    with pytest.raises(ValueError, match=r"recurrent state"):
        LanguageModel(mamba, tokenizer(), lora=None)
    mixtral = MixtralForCausalLM(MixtralConfig(vocab_size=60, num_local_experts=2, **SHAPE))
    with pytest.raises(ValueError, match=r"lora=None"):
        LanguageModel(mixtral, tokenizer(), lora=2)


def test_gpt2_takes_adapters_without_a_warning():
    config = GPT2Config(vocab_size=60, n_embd=16, n_layer=1, n_head=2, n_positions=32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LanguageModel(GPT2LMHeadModel(config), tokenizer(), lora=2)


def test_a_prompt_ends_without_eos_and_begins_with_one_bos():
    tok = tokenizer()
    lm = LanguageModel(llama(tok), tok, lora=2, chat=False)
    bare = lm.encode("What")
    tok.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    assert tok("What")["input_ids"] == [*bare, 2]  # a prompt that ends with EOS
    assert lm.encode("What") == lm.encode("<bos>What") == bare
    assert lm.encode_response("What") == [*bare[1:], 2]


def test_a_tokenizer_of_another_model_and_half_characters_are_named():
    lm = LanguageModel(llama(tokenizer(), vocabulary=20), tokenizer(), lora=2)
    with pytest.raises(ValueError, match=r"unknown to the model, which has 20"):
        arena(lm)
    with pytest.raises(ValueError, match=r"not Unicode text"):
        lm.encode("half \ud800")


@pytest.mark.parametrize("rank", [0, -1, "4", 2.5, True])
def test_a_rank_is_a_whole_number(rank):
    with pytest.raises(ValueError, match=r"lora must be a rank"):
        LanguageModel(llama(tokenizer()), tokenizer(), lora=rank)


def test_from_pretrained_names_what_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"is not a folder"):
        LanguageModel.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"dtype 'float7'"):
        LanguageModel.from_pretrained(tmp_path, dtype="float7")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"device cuda is not available"):
            LanguageModel.from_pretrained(tmp_path, device="cuda")


# -- arenas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"samples": 2.5}, "samples must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"correct": 2.5}, "correct must be a whole number"),
        ({"correct": 0}, "correct must be at least 1"),
        ({"min_new_tokens": 5}, "min_new_tokens from 0 to max_new_tokens"),
        ({"min_new_tokens": -1}, "min_new_tokens from 0 to max_new_tokens"),
        ({"per_round": True}, "per_round must be a whole number"),
        ({"temperature": np.nan}, "temperature must be above 0"),
        ({"prompts": ["What", None]}, r"prompts\[1\] must be a text, got None"),
        ({"expert": [["a", 1], ["b"]]}, "list of texts per prompt, got 1"),
        ({"expert": [[0.5, 0.5]] * 2}, r"needs responses=\[...\]"),
        ({"responses": "12"}, r"pass \['12'\]"),  # not the two responses "1" and "2"
        ({"responses": [1, 2]}, "must be a list of texts"),
        ({"responses": ["a", ["b"]]}, "must be a list of texts"),
        ({"responses": [["a", "b"], "cd"]}, "must be a list of texts"),
        ({"responses": [["a", "b"], [None]]}, "must be a list of texts"),
        ({"responses": [["a", "b"], []]}, "must be a list of texts"),
        ({"responses": []}, "must be different texts"),
        ({"expert": ["ab", "cd"]}, "a list of texts per prompt"),  # not the answers "a" and "b"
        ({"expert": [[], ["a"]]}, "at least one text"),
        ({"expert": [[np.nan, 1.0], [0.5, 0.5]], "responses": ["1", "2"]}, "must be at least 0"),
    ],
)
def test_an_arena_takes_nothing_for_something_else(lm, options, told):
    with pytest.raises(ValueError, match=told):
        arena(lm, **options)
    arena(lm, samples=np.int64(3))


def test_one_text_is_no_list_of_prompts_and_no_sample_is_asked_for(lm):
    for wrong in ("What", []):
        with pytest.raises(ValueError, match="prompts must be a list"):
            arena(lm).sample(BASE, wrong, n=1)
    with pytest.raises(ValueError, match="n must be at least 1"):
        arena(lm).sample(BASE, n=0)


def test_an_empty_response_is_a_response(lm):
    played = arena(lm, responses=["", "1"], samples=None)
    assert played.rates()[0, 0, 1] == 1.0  # shorter
    assert played.probs(pg.solve(pg.EGPO(0.1, 1.0), played, 1).policy).shape == (2, 2)


def test_a_state_of_another_solver_is_told(lm):
    left = pg.solve(pg.EGPO(0.1, 1.0), arena(lm), 0)
    with pytest.raises(ValueError, match=r"ONPO cannot continue this state.* the solver that made it"):
        pg.solve(pg.ONPO(0.1, 1.0), arena(lm), 1, state=left)
    own = pg.solve(pg.ONPO(0.1, 1.0), arena(lm), 1)
    assert pg.solve(pg.ONPO(0.1, 1.0), arena(lm), 1, state=own).t == 2


# -- judges ---------------------------------------------------------------------------------------------


class Nameless:
    def prefer(self, prompts, firsts, seconds):
        return np.full(len(prompts), 0.5j)


def test_a_cache_does_not_answer_for_another_rule(tmp_path):
    judges.Cached(judges.Rule(judges.rules.matches("a.*")), tmp_path / "a").prefer(["x"], ["a"], ["b"])
    with pytest.raises(ValueError, match=r"holds answers of"):
        judges.Cached(judges.Rule(judges.rules.matches("b.*")), tmp_path / "a")
    with pytest.raises(ValueError, match=r"give the judge a name"):
        judges.Cached(judges.Rule(lambda prompt, response: 0.0), tmp_path / "b")
    with pytest.raises(ValueError, match="give the judge a name"):
        judges.Cached(Nameless(), tmp_path / "b")
    for nameless in (
        judges.Majority([judges.Rule(judges.rules.longer), Nameless()]),
        judges.Chat("http://127.0.0.1:9/v1", "m", parse=lambda answer: 1.0),
        judges.Symmetrised(Nameless()),
    ):
        with pytest.raises(ValueError, match="give the judge a name"):
            judges.Cached(nameless, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    chat = [judges.Chat("http://127.0.0.1:9/v1", "m", parse=parse).name for parse in (float, int)]
    assert len({*chat, judges.Chat("http://127.0.0.1:9/v1", "m").name}) == 3
    first, second = (judges.Rule(judges.passes(f"assert f() == {i}")).name for i in (1, 2))
    assert first != second and "<" not in first


class Optimist:
    """Prefers the first response."""

    name, as_is, antisymmetric = "Optimist", True, False

    def __init__(self):
        self.asked = 0

    def prefer(self, prompts, firsts, seconds):
        self.asked += len(prompts)
        return np.array(
            [0.9 if first < second else 0.4 for first, second in zip(firsts, seconds, strict=True)]
        )


def test_a_cache_and_a_majority_keep_both_orders_of_a_judge_that_needs_them(tmp_path):
    for path in ("new", "new"):  # asked, then read
        optimist = Optimist()
        cached = judges.Cached(optimist, tmp_path / path)
        assert cached.prefer(["x"] * 3, ["a", "b", "a"], ["b", "a", "a"]).tolist() == [0.9, 0.4, 0.5]
        assert not cached.antisymmetric
    assert optimist.asked == 0 and len(cached) == 2
    both = judges.Majority([Optimist(), judges.Rule(judges.rules.longer)])
    assert not both.antisymmetric and not judges.Cached(both, tmp_path / "both").antisymmetric
    assert both.prefer(["x"] * 2, ["a", "bb"], ["bb", "a"]).tolist() == [0.45, 0.7]
    assert judges.Majority([judges.Rule(judges.rules.longer)]).antisymmetric


def test_complex_answers_are_refused(lm):
    with pytest.raises(judges.JudgeError, match=r"complex"):
        pg.solve(pg.INPO(0.1, 1.0), arena(lm, judge=Nameless()), 1)


def test_ctrl_c_does_not_wait_for_a_judge_that_hangs(monkeypatch):
    asked, silent = threading.Event(), threading.Event()

    def hangs(handler, n, content):
        asked.set()
        silent.wait(60)
        reply(handler, "[[A]]")

    def interrupted(jobs, return_when):
        asked.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr("llm_backend.threads.wait", interrupted)
    with Server(hangs) as server:
        with pytest.raises(KeyboardInterrupt):
            judges.Chat(server.url, "m", workers=1).prefer(["p"], ["a"], ["b"])
        (left,) = [thread for thread in threading.enumerate() if thread.name == "Chat"]
        assert left.daemon  # nor does the end of the program wait for it
        silent.set()
        left.join()


# -- what is on disk ------------------------------------------------------------------------------------


def test_a_state_edited_by_hand_is_refused(lm, tmp_path):
    played = arena(lm)
    played.save(pg.solve(pg.INPO(0.1, 1.0), played, 1), tmp_path)
    file = tmp_path / "state.json"
    whole = json.loads(file.read_text())
    fields = whole["state"]["fields"]
    array = {"array": [1, 2], "type": "float64", "shape": [3]}
    for wrong in (
        whole | {"state": None},
        whole | {"state": whole["state"] | {"record": "Nope"}},
        whole | {"state": whole["state"] | {"fields": fields | {"x": 1}}},
        whole | {"state": whole["state"] | {"fields": fields | {"t": "3"}}},
        whole | {"state": whole["state"] | {"fields": fields | {"policy": 3}}},
        whole | {"state": whole["state"] | {"fields": fields | {"memory": {"rows": 4}}}},
        whole | {"state": whole["state"] | {"fields": fields | {"memory": array}}},
    ):
        file.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=r"is not a complete saved state"):
            played.load(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no state.json"):
        played.load(tmp_path)


def test_an_adapter_of_other_layers_or_another_rank_is_refused(lm, tmp_path):
    played = arena(lm)
    state = pg.solve(pg.INPO(0.1, 1.0), played, 1)
    path = tmp_path / "kept.safetensors"
    lm.save(state.policy, path)
    with pytest.raises(ValueError, match=r"at lora=4 and not 8"):
        tiny_language_model(lora=8).load(path)
    with pytest.raises(ValueError, match=r"on another base"):
        tiny_language_model(seed=1).load(path)
    with safe_open(path, "pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    for other in (
        {name.replace("q_proj", "wq"): tensor for name, tensor in tensors.items()},
        dict(list(tensors.items())[1:]),
        {name: tensor[:1].contiguous() for name, tensor in tensors.items()},
    ):
        save_file(other, path, about)
        with pytest.raises(ValueError, match=r"has other layers"):
            lm.load(path)


def test_saving_mends_an_adapter_that_was_cut(lm, tmp_path):
    played = arena(lm)
    state = pg.solve(pg.INPO(0.1, 1.0), played, 1)
    played.save(state, tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-7])
    played.save(state, tmp_path)
    assert played.load(tmp_path).policy.id == state.policy.id


def test_evidence_is_not_read_as_that_of_other_prompts_or_responses(lm, tmp_path):
    played = arena(lm, responses=["1", "2", "3"])
    state = pg.State(1, BASE, (played.duel(BASE, BASE),))
    played.save(state, tmp_path / "duels")
    wins = played.load(tmp_path / "duels").memory[0].table((2, 3))
    assert np.array_equal(wins, state.memory[0].table((2, 3)))
    for other in (arena(lm, responses=["3", "2", "1"]), arena(lm, PROMPTS[2:4], responses=["1", "2", "3"])):
        with pytest.raises(ValueError, match=r"other prompts or responses"):
            other.load(tmp_path / "duels")
    played.save(pg.State(1, BASE), tmp_path / "policy")  # a policy alone means the same anywhere
    assert arena(lm, PROMPTS[2:4]).load(tmp_path / "policy").policy is BASE


# -- runs -----------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS[:4]))
    return {
        "model": {"name": "tiny", "lora": 2},
        "data": {"source": str(tmp_path / "prompts.jsonl"), "chat": False},
        "judge": {"kind": "Rule", "score": "shorter"},
        "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
        "arena": {"samples": 2, "max_new_tokens": 3},
        "fit": {"epochs": 1},
        "evaluate": {"every": 0},
        "run": {"rounds": 1, "out": str(tmp_path / "out")},
        "log": {"tensorboard": False},
    }


def test_a_run_does_not_go_on_with_other_data_or_another_runs_rounds(settings, tmp_path):
    run(settings)
    more = settings | {"run": settings["run"] | {"rounds": 2}}
    rounds = tmp_path / "out" / "rounds"
    (rounds / ".DS_Store").write_text("")  # a foreign file is not a round
    (rounds / "00001.bak").mkdir()
    shutil.copytree(tmp_path / "out", tmp_path / "same")
    assert run(more | {"run": {"rounds": 2, "out": str(tmp_path / "same")}}, resume=True).state.t == 2

    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS[4:]))
    with pytest.raises(ConfigError, match=r"other prompts or tokens"):
        run(more, resume=True)
    (tmp_path / "out" / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config.json is damaged"):
        run(more, resume=True)
    (tmp_path / "out" / "config.json").unlink()
    for resume in (False, True):
        with pytest.raises(ConfigError, match=r"but no config.json"):
            run(more, resume=resume)


def test_a_row_cut_out_of_the_log_is_missed_aloud(settings, tmp_path, capsys):
    settings["run"]["rounds"], log = 4, tmp_path / "out" / "log.jsonl"
    run(settings)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(lines[0] + lines[2][:9] + "\n7\n" + lines[3])
    run(settings, resume=True)
    assert "log.jsonl has no row of round 2, 3;" in capsys.readouterr().err
    assert log.read_text() == lines[0] + lines[3]  # lines after a torn line are kept


def test_a_length_that_leaves_no_room_is_named_by_its_key(settings):
    settings["arena"]["max_new_tokens"] = 256
    with pytest.raises(ConfigError, match=r"arena.max_new_tokens = 256.*context of 256"):
        run(settings)
    settings["arena"] = {"samples": 2, "responses": ["1", "2"]}  # a list needs no room for max_new_tokens
    assert run(settings).state.t == 1


def test_a_wrong_expression_is_named_by_its_key(settings):
    settings["judge"]["score"] = "matches:("
    with pytest.raises(ConfigError, match=r"judge.score = .matches:\("):
        run(settings)


def test_a_full_disk_says_how_to_go_on(monkeypatch, tmp_path):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "judge.jsonl")

    monkeypatch.setattr("llm_backend.runs.loop.run", full)
    (tmp_path / "run.toml").write_text(as_toml(described(tmp_path / "run")))
    done = CliRunner().invoke(app, [str(tmp_path / "run.toml")])
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
    assert "No space left on device: 'judge.jsonl'. Free space" in done.stderr


PRESSES_CTRL_C = """
import os, runpy, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
runpy.run_module("llm_backend", run_name="__main__")
"""


def test_ctrl_c_while_modules_load_is_one_line_too():
    done = subprocess.run([sys.executable, "-c", PRESSES_CTRL_C, "run.toml"], capture_output=True, text=True)
    assert done.returncode == 130 and done.stdout == ""
    assert "stopped" in done.stderr and done.stderr.count("\n") == 1


def test_without_the_packages_of_language_models_it_says_how_to_get_them(tmp_path):
    """An installation without torch, simulated by a torch that cannot be imported."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    told = "llm_backend needs torch: pip install 'pgames[llm]' brings it."
    for command, code in ((["-m", "llm_backend", "run.toml"], 2), (["-c", "from llm_backend import Fit"], 1)):
        done = subprocess.run(
            [sys.executable, *command], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
        )
        assert done.returncode == code and done.stderr.strip().endswith(told), done.stderr
        assert ("Traceback" in done.stderr) == (code == 1)
