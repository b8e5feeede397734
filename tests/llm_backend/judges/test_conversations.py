"""Judges that are models read the conversation that the policy reads, row by row."""

import datetime

import numpy as np
import pytest
import torch

from llm_backend import judges
from llm_backend.data import CLOCK, Conversation
from tests.support.classifiers import classifier, tokenizer_of
from tests.support.judged import WORDS
from tests.support.llm_tiny import tiny_model

ASKED = Conversation(
    [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "rock"},
    ]
)
PROMPTS = [ASKED, str(ASKED), "a"]  # the second reads like the first, and is a text
HEADS = [
    "<bos> user a <eos> assistant b <eos> user rock <eos>",
    f"<bos> user {ASKED} <eos>",
    "<bos> user a <eos>",
]


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]


def test_a_reward_model_reads_conversations():
    tokenizer = tokenizer_of()
    model = classifier(tokenizer)
    judge = judges.RewardModel(model, tokenizer)
    with torch.no_grad():
        wanted = [model(ids(tokenizer, f"{head} assistant paper <eos>")).logits.item() for head in HEADS]
    np.testing.assert_allclose(judge.scores(PROMPTS, ["paper"] * 3), wanted, atol=1e-5)
    assert abs(wanted[0] - wanted[1]) > 1e-3
    with pytest.raises(ValueError, match="begins with a system message already"):
        kind = Conversation([{"role": "system", "content": "b"}, *ASKED.messages])
        judges.RewardModel(model, tokenizer, system="a").scores([kind], ["paper"])


def test_a_likelihood_is_that_after_the_conversation():
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    judge = judges.LogProb(model, tokenizer)
    wanted = []
    for head in HEADS:
        start = ids(tokenizer, f"{head} assistant ")
        row = torch.cat([start, ids(tokenizer, "paper <eos>")], dim=1)
        with torch.no_grad():
            logs = model(row).logits[0].log_softmax(-1)
        at = range(start.shape[1], row.shape[1])
        wanted.append(sum(float(logs[i - 1, row[0, i]]) for i in at))
    np.testing.assert_allclose(judge.scores(PROMPTS, ["paper"] * 3), wanted, atol=1e-4)
    assert abs(wanted[0] - wanted[1]) > 1e-3


def test_wrappers_keep_conversations_and_texts_apart(tmp_path):
    tokenizer = tokenizer_of()
    judge = judges.RewardModel(classifier(tokenizer), tokenizer)
    wrapped = judges.Majority([judges.Cached(judge, tmp_path / "answers.jsonl")])
    first, second = [WORDS[0]] * 3, [WORDS[1]] * 3
    wanted = judge.prefer(PROMPTS, first, second)
    for _ in range(2):  # asked, then read
        np.testing.assert_array_equal(wrapped.prefer(PROMPTS, first, second), wanted)
    assert len(set(wanted)) == 3


def test_the_name_of_a_judge_does_not_change_with_the_day(monkeypatch):
    tokenizer = tokenizer_of()
    dated = "{{ strftime_now('%Y') }} " + tokenizer.chat_template
    model, causal = classifier(tokenizer), tiny_model(len(tokenizer))
    plain = judges.RewardModel(model, tokenizer).name
    tokenizer.chat_template = dated
    names = set()
    for year in (2001, 2002):
        monkeypatch.setattr(CLOCK, "now", datetime.datetime(year, 1, 1))
        names.add((judges.RewardModel(model, tokenizer).name, judges.LogProb(causal, tokenizer).name))
    assert len(names) == 1 and next(iter(names))[0] != plain
