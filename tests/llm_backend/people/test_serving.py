"""The command `vote`: what it says at its start and its end, and what it refuses in one line."""

import json
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from llm_backend.__main__ import app
from tests.support import ROOT
from tests.support.voting import Client


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"p{i}", "first": f"a{i}", "second": f"b{i}"} for i in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_command_serves_until_ctrl_c_and_survives_a_kill(pairs):
    key = None
    for end in (signal.SIGKILL, signal.SIGINT):
        command = [sys.executable, "-m", "llm_backend", "vote", str(pairs), "--port", "0"]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "Vote at" in line:
                break
        address = lines[-1].split()[2]
        client = Client(address)
        assert key in (None, client.key)  # a page that is open goes on after a restart
        key = client.key
        _, state = client.post("enter", {"name": "Ann", "sure": True})
        _, state = client.post("vote", {"voter": "ann", "ticket": state["ticket"], "choice": "left"})
        time.sleep(0.1)
        process.send_signal(end)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "3 pairs; 1 votes so far" in "".join(lines)
    assert "Ann: 2 votes, 0 ties, left won 2 of 2" in out
    assert f"2 votes: pgames report {pairs.with_name('pairs.votes.jsonl')}" in out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["missing.jsonl"], "missing.jsonl is not there"),
        (["{pairs}", "--votes", "votes.csv"], "votes are JSON lines"),
        (["{pairs}", "--repeat", "1.5"], "repeat must be at least 0 and below 1"),
        (["{pairs}", "--seed", "-1"], "seed must be at least 0, got -1"),
        (["{pairs}", "--port", "99999"], "port 99999 cannot be served"),
        (["{pairs}", "--first", "chosen"], "no column 'chosen'"),
        (["{pairs}", "--votes", "{pairs}"], "line 1 is not a vote of this page"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(pairs, arguments, why):
    done = CliRunner().invoke(app, ["vote", *(part.format(pairs=pairs) for part in arguments)])
    assert done.exit_code == 1 and why in done.stderr and done.stderr.count("\n") == 1
    assert len(pairs.read_text().splitlines()) == 3
