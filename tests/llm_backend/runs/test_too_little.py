"""What cannot be measured is said before the first round is played, not after the last."""

import json
import warnings

import pytest

from llm_backend.__main__ import _told_in_lines
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
        (
            SEEDS,
            {"answer_tokens": 300},
            "answer_tokens = 300 leaves no room for an attack .* of 256",
        ),
        (SEEDS, {"attack_tokens": 0}, r"\[roles\] attack_tokens: max_new_tokens must be at least 1"),
        (SEEDS, {"replies": 1}, r"\[roles\] replies: samples must be at least 2"),
        (
            SEEDS,
            {"heldout": 1},
            "roles.heldout is unknown: .* success.*Did you mean held_out",
        ),
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
        ({"arena": {**RUN["arena"], "seed": 2**70}}, r"seed must be at least 0 and below 2\*\*62"),
        ({"model": {"name": "tiny", "seed": 2**70}}, "seed must be a whole number of 64 bits"),
        (
            {"fit": {"lr": 1e-3, "betas": [0.9]}},
            r"fit.betas = \[0.9\]: it must be longer",
        ),
        ({"solver": {"name": "INPO", "tau": 1e-300, "eta": 1e300}}, "a step of 1e[+]300 asks for log-ratios"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(sections, told, tmp_path):
    with pytest.raises(ValueError, match=told) as error:
        play(tmp_path, **sections)
    assert "\n" not in str(error.value)


def test_a_changed_member_is_named_by_its_key(tmp_path):
    from llm_backend.league.settings import LeagueConfiguration
    from llm_backend.runs.folder import check_folder, write_config

    def league(*names):
        return LeagueConfiguration.parse({**RUN, "league": {"members": [{"name": name} for name in names]}})

    write_config(tmp_path, league("a", "b"))
    check_folder(tmp_path, league("a", "b"), True)
    with pytest.raises(ConfigError, match=r'league.members\[1\].name is "b" in .* and "c" now'):
        check_folder(tmp_path, league("a", "c"), True)
    with pytest.raises(ConfigError, match=r'league.members\[2\].name is null in .* and "c" now'):
        check_folder(tmp_path, league("a", "b", "c"), True)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"config.json is damaged .it is no table.: set run.out"):
        check_folder(tmp_path, league("a", "b"), True)


def test_an_exploiter_of_all_needs_a_learner():
    from llm_backend.league.settings import LeagueConfiguration

    members = [{"name": "a", "exploits": "all"}, {"name": "b", "exploits": "a"}]
    with pytest.raises(ConfigError, match=r"members\[0\].exploits = 'all': no member is a learner"):
        LeagueConfiguration.parse({**RUN, "league": {"members": members}})


def test_the_base_of_a_member_is_named_when_it_cannot_be_loaded(tmp_path):
    from llm_backend.league.loop import run as play_league
    from llm_backend.league.settings import LeagueConfiguration

    members = [{"name": "a"}, {"name": "b", "base": {"name": "./none"}}]
    tables = {**RUN, "league": {"members": members}, "run": {"out": str(tmp_path / "out")}}
    with pytest.raises(ConfigError, match=r"the base ./none of a member: \[model\] ./none is not a folder"):
        play_league(LeagueConfiguration.parse(tables))


def test_warnings_of_the_command_line_are_one_line_each():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with _told_in_lines():
            said = warnings.formatwarning(UserWarning("two\nlines"), UserWarning, "file.py", 3, "code")
            other = warnings.formatwarning(FutureWarning("later"), FutureWarning, "file.py", 3, "code")
    assert said.count("\n") == 1 and said.startswith("llm_backend: two")
    assert "file.py:3: FutureWarning: later" in other
    assert warnings.formatwarning(UserWarning("x"), UserWarning, "f.py", 1, "").startswith("f.py:1: UserW")
