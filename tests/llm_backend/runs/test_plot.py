"""The curves of runs side by side."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.runs.plot import Point, curves, points, read_runs


def log(folder, rates, **more):
    folder.mkdir(parents=True)
    lines = [
        {"round": t, "loss": 1 / t, "win_rate_reference": {"mean": rate, "margin": 0.1}, **more}
        for t, rate in enumerate(rates, 1)
    ]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def test_a_page_shows_the_runs_side_by_side_and_needs_no_network(tmp_path):
    first, second = log(tmp_path / "inpo <b>", [0.5, 0.6, 0.7]), log(tmp_path / "egpo", [0.5, 0.8])
    out = tmp_path / "runs.html"
    done = CliRunner().invoke(app, ["plot", str(first), str(second), "--out", str(out)])
    assert done.exit_code == 0 and done.stdout.strip() == str(out)
    page = out.read_text()
    assert "inpo &lt;b&gt;" in page and "<b>" not in page and "http://" not in page.split("<img")[0]
    assert "0.7 ± 0.1" in page and "0.8 ± 0.1" in page and "data:image/svg+xml" in page


def test_the_lines_are_the_numbers_of_the_logs(tmp_path):
    runs = read_runs([log(tmp_path / "a" / "run", [0.5, 0.9]), log(tmp_path / "b" / "run", [0.4], slope=0.2)])
    assert [name[-5:] for name in runs] == ["a/run", "b/run"]
    figure = curves(runs)
    shown = {axes.get_title(loc="left"): axes for axes in figure.axes}
    lines = shown["win rate over the reference"].get_lines()
    assert lines[0].get_xydata().tolist() == [[1, 0.5], [2, 0.9]]
    assert lines[1].get_xydata().tolist() == [[1, 0.4]]
    assert "realised step" in shown and "length (tokens)" not in shown
    assert points([*runs.values()][1], "slope") == [Point(1, 0.2, 0.0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere holds no log.jsonl: pass the folder of a run"),
        (["run", "--out", "runs.gif"], "its suffix must be .html, .png, .svg or .pdf"),
        (["empty"], "has no row yet"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log(tmp_path / "run", [0.5])
    log(tmp_path / "empty", [])
    done = CliRunner().invoke(app, ["plot", *arguments])
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and message in " ".join(done.stderr.split())
