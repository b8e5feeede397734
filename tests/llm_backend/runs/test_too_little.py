"""What cannot be measured is said before the first round is played, not after the last."""

import json

import pytest

from llm_backend.runs.config import Configuration, values_of
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run

RUN = {
    "model": {"name": "tiny", "lora": 2},
    "data": {"source": "tiny"},
    "judge": {"kind": "Rule", "score": "shorter"},
    "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
    "arena": {"samples": 2, "max_new_tokens": 4},
    "fit": {"epochs": 1},
    "log": {"tensorboard": False},
}


def one_success(prompt: str, answer: str) -> float:
    return float("1" in answer)


def play(folder, **sections):
    tables = {**RUN, **sections}
    return run({**tables, "run": {"rounds": 1, "out": str(folder / "out")}})


@pytest.mark.parametrize("how", [{"prompts": 1}, {"held_out": 1}])
def test_a_page_needs_two_prompts(how, tmp_path):
    with pytest.raises(ConfigError, match=r"evaluate.page = 2: the page needs at least 2 measured prompts"):
        play(tmp_path, evaluate={"page": 2, **how})
    assert not (tmp_path / "out" / "rounds").exists()


def test_by_default_a_page_has_two_prompts(tmp_path):
    done = play(tmp_path, evaluate={"page": 1, "samples": 8})
    assert len(done.arena.prompts) == 2 and (done.folder / "page.html").is_file()


def test_held_out_prompts_that_are_trained_on_are_told(tmp_path, capsys):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"What is {i % 3} plus 1?"}) + "\n" for i in range(5)))
    play(tmp_path, data={"source": str(path)}, evaluate={"held_out": 2})
    assert "2 of 2 held-out prompts are trained on too: the data repeats them." in capsys.readouterr().err


SEEDS = [{"prompt": "What is 1 plus 2?", "secret": "zebra"}, {"prompt": "What is 4 plus 3?"}]


def attack(folder, seeds, evaluate=None, **roles):
    path = folder / "s.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in seeds))
    tables = {key: value for key, value in RUN.items() if key != "arena"}
    success = f"{__name__}:one_success"
    given = {"seeds": str(path), "success": success, "samples": 2, "replies": 2, **roles}
    out = {"rounds": 1, "out": str(folder / "out")}
    return run({**tables, "roles": given, "evaluate": evaluate or {"past": 0}, "run": out})


@pytest.mark.parametrize(
    ("seeds", "roles", "told"),
    [
        (SEEDS[:1], {}, "need at least 2 seeds to measure and have 1: give more roles.seeds"),
        (SEEDS, {"held_out": 1}, "need at least 2 seeds to measure and have 1"),
        (SEEDS, {"fixed": ["", " "]}, "roles.fixed: none of its 2 attacks .* seed 0: .* it is empty"),
        (SEEDS, {"unseen": ["a zebra"]}, "roles.unseen: none of its 1 attacks .* it holds the secret itself"),
        (SEEDS, {"fixed": ["a" * 3000]}, "roles.fixed: none .* it cannot be read .*context is 256"),
        ([*SEEDS, {"prompt": 3}], {}, "roles.seeds: .* row 2, column 'prompt': a prompt is a text"),
        ([*SEEDS, {"prompt": "a", "secret": 3}], {}, r"seeds\[2\].secret must be a text, got 3"),
        ([*SEEDS, {"prompt": "a", "system": ["b"]}], {}, r"seeds\[2\].system must be a text"),
        ([*SEEDS, {"prompt": "a", "secret": " "}], {}, r"seeds\[2\].secret is blank"),
        ([*SEEDS, {"prompt": "STRASSE", "secret": "straße"}], {}, "tells the attacker the secret 'straße'"),
    ],
)
def test_seeds_and_attacks_that_cannot_be_played_are_named(seeds, roles, told, tmp_path):
    with pytest.raises(ConfigError, match=told):
        attack(tmp_path, seeds, **roles)
    assert not (tmp_path / "out" / "rounds").exists()


@pytest.mark.parametrize(
    ("section", "key"), [("evaluate", "tau"), ("league", "k"), ("league", "memory"), ("league", "reset")]
)
def test_settings_are_finite(section, key):
    from llm_backend.league.settings import LeagueConfiguration

    members = [{"name": "a"}, {"name": "b", "exploits": "a"}]
    if key == "reset":
        members[1][key] = float("inf")
    league = {"members": members, **({key: float("inf")} if section == "league" and key != "reset" else {})}
    tables = {**RUN, "league": league, "evaluate": {key: float("inf")} if section == "evaluate" else {}}
    with pytest.raises(ConfigError, match=f"{key} = inf: it must be"):
        LeagueConfiguration.parse(tables)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "run.toml").write_bytes(b"\xef\xbb\xbf[model]\nname = 'tiny'\n")
    assert values_of(tmp_path / "run.toml") == {"model": {"name": "tiny"}}
    with pytest.raises(ConfigError, match=r"\[data\] is missing"):
        Configuration.read(tmp_path / "run.toml")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"source": "tiny", "limit": 2}, r"data.limit is unknown: \[data\] takes nothing"),
        ({"source": "tiny", "pairs": "p.jsonl"}, "data.source and data.pairs exclude each other"),
        ({"source": "p.jsonl", "pairs": "q.jsonl"}, "data.source and data.pairs exclude each other"),
        ({"source": ""}, r"\[data\] the source is empty"),
        ({"source": "tiny", "longest": 0}, r"\[data\] longest must be at least 1 token"),
    ],
)
def test_data_that_would_be_passed_over_is_refused(data, told, tmp_path):
    with pytest.raises(ConfigError, match=told):
        play(tmp_path, data=data)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"judge": {**RUN["judge"], "cache": 3}}, "judge.cache = 3: it must be true or false"),
        ({"judge": {"kind": "LogProb", "path": "./no"}}, r"\[judge\] ./no is not a folder"),
        ({"model": {"name": " "}}, r"\[model\] the name of the model is empty"),
        ({"solver": {"name": "INPO", "tau": 1e-300, "eta": 1e300}}, "a step of 1e[+]300 asks for log-ratios"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(sections, told, tmp_path):
    with pytest.raises(ValueError, match=told) as error:
        play(tmp_path, **sections)
    assert "\n" not in str(error.value)
