"""The prompts: how many, of which kinds, on which topics; the same for the same seed."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from llm_backend.constraints import HELD_OUT, constraint_of, prompts
from llm_backend.constraints.kinds import NEW, TRAINED
from llm_backend.constraints.prompts import NEW_TOPICS, TOPICS
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.prompts import read_data

ROWS = prompts()
TRAIN = [row for row in ROWS if not row.held_out]


def test_counts_and_kinds():
    held = ROWS[len(TRAIN) :]
    assert len(TRAIN) == 240 and len(held) == HELD_OUT == 60 and all(row.held_out for row in held)
    assert len({row.prompt for row in ROWS}) == len(ROWS)
    assert Counter(row.kind for row in TRAIN) == {kind.name: 24 for kind in TRAINED}
    expected = {kind.name: 4 for kind in TRAINED} | {kind.name: 10 for kind in NEW}
    assert Counter(row.kind for row in held) == expected
    assert all(constraint_of(row.prompt).kind.name == row.kind for row in ROWS)


def test_any_ten_prompts_in_a_row_are_of_ten_kinds():
    for i in range(len(TRAIN) - 9):
        assert len({row.kind for row in TRAIN[i : i + 10]}) == 10


def test_held_out_topics_are_others():
    assert not set(TOPICS) & set(NEW_TOPICS)
    for row in ROWS:
        named = {word.strip(".?,") for word in row.prompt.split()}
        assert bool(named & set(NEW_TOPICS)) == row.held_out
        assert bool(named & set(TOPICS)) != row.held_out


def test_a_seed_names_the_prompts():
    assert prompts() == prompts(0) == ROWS
    assert prompts(1) != ROWS


def test_they_are_written_to_a_file(tmp_path):
    path = tmp_path / "prompts.jsonl"
    subprocess.run([sys.executable, "-m", "llm_backend.constraints", path, "3"], check=True)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [r._asdict() for r in prompts(3)]


def test_a_run_names_them():
    assert read_data({"source": "constraints"}).prompts == [row.prompt for row in ROWS]
    assert read_data({"source": "constraints", "seed": 2}).prompts == [row.prompt for row in prompts(2)]
    with pytest.raises(ConfigError, match="column is unknown"):
        read_data({"source": "constraints", "column": "prompt"})
