"""Prompts of runs: the clock of their templates, template arguments, warnings, conversations."""

import datetime
import json

import pytest

pytest.importorskip("torch")

from llm_backend.data import CLOCK
from llm_backend.runs import reading
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run
from llm_backend.tiny import PROMPTS, TEMPLATE, random_llama, tiny_tokenizer
from tests.llm_backend.runs.test_runs import described, told


@pytest.fixture
def values(tmp_path):
    """A run of a saved model whose template shows the time, and can be told to be brief."""
    tokenizer = tiny_tokenizer([*PROMPTS, "user assistant system 0123456789 Be brief."])
    dated = "{{ strftime_now('%S.%f') }}{% if brief %}Be brief.{% endif %}"
    tokenizer.chat_template = dated + TEMPLATE
    random_llama(len(tokenizer), 16, 16, 1, room=256, spread=0.3).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in PROMPTS))

    def made(name, rounds=2, prompts=None, **data):
        model = {"model": {"name": str(tmp_path / "model"), "lora": 2, "device": "cpu"}}
        source = {"source": str(tmp_path / "data.jsonl"), **data}
        given = described(tmp_path / name, run={"rounds": rounds}, evaluate={"gap_every": 0})
        return given | model | {"data": source}

    return made


def test_a_run_goes_on_the_next_day_with_its_own_clock(values):
    through = run(values("through"))
    run(values("halted", 1))
    again = run(values("halted"), resume=True)
    assert again.state.t == 2 and CLOCK.now != datetime.datetime.now()
    started = json.loads((again.folder / reading.STARTED).read_text())["started"]
    assert CLOCK.now == datetime.datetime.fromisoformat(started)
    shown = again.arena.lm.tokenizer.decode(again.arena.space.sampling.prompts[0])
    assert shown.startswith(f"{CLOCK.now:%S.%f}")
    (through.folder / reading.STARTED).write_text("{")
    with pytest.raises(ConfigError, match=r"started\.json is damaged \(.*\): delete it, or set run\.out"):
        run(values("through", 3), resume=True)


def test_the_same_start_has_the_same_bits(values, tmp_path):
    done = run(values("one"))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / reading.STARTED).write_bytes((done.folder / reading.STARTED).read_bytes())
    again = run(values("two"))
    assert again.state.policy.id == done.state.policy.id and told(again.rows) == told(done.rows)


def test_other_prompts_are_still_refused(values, tmp_path):
    run(values("run", 1))
    asked = [{"prompt": text} for text in ("What is 9 plus 2?", *PROMPTS[1:])]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, asked)))
    with pytest.raises(ConfigError, match="was played with other prompts"):
        run(values("run"), resume=True)


def test_template_arguments_and_system_are_keys_of_data(values):
    done = run(values("run", 1, template_arguments={"brief": True}, system="2 plus 2"))
    shown = done.arena.lm.tokenizer.decode(done.arena.space.sampling.prompts[0])
    assert "Be brief.<bos><system> 2 plus 2\n<user> What is 1 plus 2?" in shown
    with pytest.raises(ConfigError, match="does not read the argument 'brif'"):
        run(values("other", 1, template_arguments={"brif": True}))
    with pytest.raises(ConfigError, match=r"model\.chat is unknown"):
        run(values("other", 1) | {"model": {"name": "tiny", "chat": False}})


def test_prompts_that_look_rendered_are_said_in_one_line(values, tmp_path, capsys):
    asked = [{"prompt": f"<user> {text}\n<assistant> "} for text in PROMPTS]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, asked)))
    run(values("run", 1))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("llm_backend: ")]
    assert sum("8 of 8 prompts hold '<assistant>'" in line for line in said) == 1
