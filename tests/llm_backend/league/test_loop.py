"""A league from its file to its page; killed and resumed to the bit; members that are missing are named."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from llm_backend.judges.base import JudgeError
from llm_backend.league import loop
from llm_backend.league.loop import run
from llm_backend.league.settings import LeagueConfiguration, read
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.report import Written
from tests.support import ROOT
from tests.support.llm_league import MEMBERS, league, values, written

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:the judge preferred nothing")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leagues") / "whole"
    return run(league(folder, rounds=3, evaluate={"prompts": 2, "page": 2}))


def test_every_round_is_logged_with_its_leaderboard(played):
    assert [row["round"] for row in played.rows] == [1, 2, 3]
    for row in played.rows:
        board = {one["name"]: one for one in row["leaderboard"]}
        assert {"plain", "bold", "hunter", "base"} <= set(board)
        assert sum(one["answer"] for one in board.values()) == pytest.approx(1)
        assert 0 <= row["distance"] <= 1
        assert abs(sum(one["elo"] for one in board.values())) < 1e-6 or row["round"] > 1
    assert played.rows[0]["distance"] == 0  # all start at the reference
    assert played.rows[-1]["distance"] > 0


def test_members_are_drawn_once_a_round(played):
    row = played.rows[0]
    assert row["games"] == 6 * 2 * 2  # pairs, prompts, samples
    drawn = 4 * 2 * 2  # members, prompts, samples; no fit draws again in the first round
    assert row["tokens"] <= drawn * 4


def test_lineage_and_snapshots(played):
    pool = {one.name: one for one in played.pool.members}
    past = [one for one in pool.values() if one.parent]
    assert {one.parent for one in past} == {"plain", "bold", "hunter"} and all(not one.learns for one in past)
    assert len([one for one in past if one.parent == "plain"]) == 1  # the last only
    assert pool["hunter"].resets >= 1


def test_two_exploiters_start_again_in_one_round(tmp_path):
    """What one of them has won is forgotten before the other is asked what it won against all."""
    members = [
        {"name": "plain"},
        {"name": "hunter", "exploits": "plain", "patience": 1},
        {"name": "poacher", "exploits": "all", "patience": 1},
    ]
    done = run(league(tmp_path / "two", members, rounds=3))
    resets = {one.name: one.resets for one in done.pool.members if one.kind == "exploiter"}
    assert resets == {"hunter": 2, "poacher": 2}


def test_the_page_is_one_file(played):
    page = (played.folder / "page.html").read_text()
    for part in ("Who beats whom", "Lineage", "Transcripts", "Best responses", "plain@2", "hunter"):
        assert part in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page
    numbers = json.loads((played.folder / "page.json").read_text())
    gaps = numbers["exploitability"]
    assert gaps["best"] <= gaps["member"] + 1e-9 and gaps["best"] <= gaps["answer"] + 1e-9
    assert sum(numbers["best"].values()) == pytest.approx(1)
    assert set(numbers["best_responses"]) == {"final", "base"}


def test_meetings_are_on_the_disk(played):
    told = json.loads((played.folder / "meetings" / "00000.json").read_text())
    assert len(told["pairs"]) == 6 and told["prompts"] == [0, 1]
    for pair in told["pairs"]:
        assert pair["games"] == 4 and pair["rate"] == pytest.approx(np.mean(pair["by_prompt"]))


def test_a_killed_league_resumes_to_the_bit(played, tmp_path):
    file = tmp_path / "league.json"
    file.write_text(json.dumps(values(tmp_path / "killed", rounds=3, evaluate={"prompts": 2, "page": 2})))
    code = (
        "import json, sys; from llm_backend.league.loop import run; import torch; torch.set_num_threads(1);"
        "from llm_backend.league.settings import LeagueConfiguration as C;"
        "run(C.parse(json.load(open(sys.argv[1]))), resume=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(file)], cwd=ROOT, stderr=subprocess.DEVNULL)
    there = tmp_path / "killed" / "rounds" / "00001"
    for _ in range(6000):
        if there.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    time.sleep(0.2)  # into the next round
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert there.exists() and not (tmp_path / "killed" / "rounds" / "00003").exists()
    assert "of 3 so far" in (tmp_path / "killed" / "page.html").read_text()
    again = run(league(tmp_path / "killed", rounds=3, evaluate={"prompts": 2, "page": 2}), resume=True)
    ours, theirs = written(again.folder), written(played.folder)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name] and "manifest" not in name] == []
    assert (again.folder / "page.json").read_bytes() == (played.folder / "page.json").read_bytes()


def test_the_page_shows_every_round_while_the_league_is_played(tmp_path, monkeypatch):
    pages, log, shown = [], [], Written.show

    def kept(self, row):
        pages.append((tmp_path / "live" / "page.html").read_text())
        log.append(row)
        shown(self, row)

    def stopped(*given):
        raise JudgeError("no more verdicts")

    monkeypatch.setattr(Written, "show", kept)
    monkeypatch.setattr(loop, "finish", stopped)
    config = league(tmp_path / "live", MEMBERS[:2], evaluate={"prompts": 2, "page": 2})
    with pytest.raises(JudgeError, match="no more verdicts"):
        run(config)
    assert len(pages) == 2 and pages[1] == (tmp_path / "live" / "page.html").read_text()
    for t, (page, row) in enumerate(zip(pages, log, strict=True), 1):
        assert f"Round {t} of 2 so far" in page and "<script" not in page
        assert 'http-equiv="refresh"' in page
        for one in row["leaderboard"]:
            assert f'<td class="n">{round(one["settled"])} ± {one["margin"]:.0f}</td>' in page
        assert all(f'<td class="n">{n}</td><td class="name">' in page for n in range(1, t + 1))
    monkeypatch.undo()
    run(config, resume=True)
    assert "so far" not in (done := (tmp_path / "live" / "page.html").read_text()) and "refresh" not in done
    quiet = run(league(tmp_path / "quiet", MEMBERS[:1], rounds=1))
    assert not (quiet.folder / "page.html").exists()  # evaluate.page = 0


def test_a_missing_policy_is_told_with_its_member(played, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(played.folder, copy)
    last = copy / "rounds" / "00003"
    about = json.loads((last / "manifest.json").read_text())["about"]["members"]
    (id,) = about["bold"]
    (last / "base0" / f"{id}.safetensors").unlink()
    again = run(league(copy, rounds=3), resume=True)
    said = capsys.readouterr().err
    assert f"{id}.safetensors is missing" in said and "The file holds the policy of bold" in said
    assert again.pool.t == 3  # played again from round 2


def test_the_recipe_plays_at_a_toys_scale(tmp_path):
    config = read(ROOT / "llm_backend" / "recipes" / "league.toml")
    assert isinstance(config, LeagueConfiguration)
    settings = {
        "run": config.run.model_copy(update={"out": str(tmp_path / "recipe")}),
        "log": config.log.model_copy(update={"tensorboard": False}),
    }
    done = run(config.model_copy(update=settings), tiny=True)
    assert done.pool.t == 2 and len([one for one in done.pool.members if not one.parent]) == 8
    assert (done.folder / "page.html").is_file()


def test_a_folder_keeps_its_league(played, tmp_path):
    with pytest.raises(ConfigError, match="holds a run already: pass --resume"):
        run(league(played.folder, rounds=3))
    with pytest.raises(ConfigError, match=r"league\.members\[2\]\.name is .*a run keeps its configuration"):
        run(league(played.folder, MEMBERS[:2], rounds=3), resume=True)


def test_a_league_of_one_plays_itself(tmp_path):
    done = run(league(tmp_path / "one", [{"name": "solo"}], rounds=1, evaluate={"prompts": 2, "page": 2}))
    assert done.rows[0]["games"] == 0 and "distance" not in done.rows[0]
    assert [one.name for one in done.pool.members] == ["solo"]
    assert "of one" in (done.folder / "page.html").read_text()


def test_a_league_on_listed_responses(tmp_path):
    arena = {"responses": ["1", "22", "333"]}
    done = run(league(tmp_path / "listed", MEMBERS[:2], rounds=1, arena=arena))
    assert done.pool.t == 1 and done.rows[0]["distance"] == 0


def test_few_matches_are_those_that_never_met_and_then_the_likeliest(tmp_path):
    done = run(league(tmp_path / "few", rounds=2, league={"matches": 2, "snapshot": 0}))
    first, second = done.rows
    assert first["games"] == 6 * 4  # nobody had met
    assert second["games"] >= 2 * 4


@pytest.mark.parametrize(
    "members, match",
    [
        ([{"name": "a", "solver": {"name": "OnlineIPO", "tau": 0.1, "eta": 1.0}}], "member a.*duel"),
        ([{"name": "a"}, {"name": "b", "policy": "nowhere"}], "member b is missing.*no complete round"),
        ([{"name": "a", "solver": {"name": "INPO"}}], r"league.members\[0\].solver"),
    ],
)
def test_members_that_cannot_play_are_named(members, match, tmp_path):
    with pytest.raises(ConfigError, match=match):
        run(league(tmp_path / "bad", members, rounds=1))


def test_wrong_names_of_population_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"league.match.name is 'Hrad'.*Hard"):
        run(league(tmp_path / "bad", league={"match": {"name": "Hrad"}}))
    with pytest.raises(ConfigError, match=r"league.meta.tau = 'x'"):
        run(league(tmp_path / "bad", league={"meta": {"name": "Nash", "tau": "x"}}))
