"""Nothing that a model says may end a run: every rule and judge gives any text a score, in bounded time."""

import json
import math
import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llm_backend import judges
from llm_backend.constraints.judge import met, prefer, score
from tests.support.chat_server import Server, reply
from tests.support.classifiers import classifier, tokenizer_of
from tests.support.llm_tiny import tiny_model

SECONDS = 5.0
BOMBS = [
    "7" * 4301,
    "1" * 10**6,
    "1/" + "0" * 5000 + "3",
    "-" * 10**5,
    "1," * 10**5,
    "1,000" * 10**4,
    "1." * 10**5,
    "0." + "0" * 10**5 + "1",
    "٣" * 5000,
    "١/٣",
    "²/³ ½ Ⅷ 1e999 1e-999 nan inf -0",
    "\0" * 1000,
    "\ud800",
    "\udc00\ud800 5",
    "‮5‬" * 100,
    "." * 10**5 + "x",
    "!?." * 10**5 + "x",
    "a" * 10**5 + "b",
    "'" * 10**5,
    "a'" * 10**5,
    "a," * 10**5,
    "```" * 10**5,
    "```python\n" * 10**4,
    "`" * 10**5 + "\n",
    "[" * 10**5,
    "(" * 10**5 + ")" * 10**5,
    "{prompt}{0}{first.__class__}%s%n",
    "<think>" * 10**4 + "[[A]]",
    " \n\t\r\x0b\x0c\u2028" * 10**4,
    "\U0001f600" * 10**4,
    "e\u0301" * 10**4,
    "ŉİſǅ" * 1000,  # their lower or upper case is longer
]
TEXTS = st.one_of(
    st.text(alphabet=st.characters(), max_size=300),
    st.text(alphabet=st.sampled_from("0123456789/.,-+ \0\ud800\udfff'!?[]()`\n"), max_size=300),
    st.tuples(st.sampled_from("0179/.,-+a'![(`\n\0\ud800‮ "), st.integers(1, 20000)).map(
        lambda pair: pair[0] * pair[1]
    ),
)
RULES = {
    "arithmetic": (judges.rules.arithmetic, "What is 12 + 7?"),
    "equals": (judges.rules.equals({"p": "12"}), "p"),
    "matches": (judges.rules.matches(r"\s*<answer>.*</answer>\s*"), "p"),
    "longer": (judges.rules.longer, "p"),
    "shorter": (judges.rules.shorter, "p"),
    "constraints": (score, "Describe owls. Answer in one sentence."),
}


def bounded(call):
    start = time.monotonic()
    value = call()
    assert time.monotonic() - start < SECONDS
    return value


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_a_rule_scores_every_text(name, text):
    rule, prompt = RULES[name]
    assert math.isfinite(bounded(lambda: rule(prompt, text)))


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_a_rule_scores_what_hypothesis_finds(name, text):
    rule, prompt = RULES[name]
    assert math.isfinite(bounded(lambda: rule(prompt, text)))


def test_long_numbers_are_no_right_answers():
    assert judges.rules.arithmetic("12 + 7", "the answer is 19") == 1
    assert judges.rules.arithmetic("12 + 7", "9" * 4301) == 0
    rule = judges.Rule(judges.rules.arithmetic)
    assert rule.prefer(["12 + 7"], ["19"], ["9" * 4301]).tolist() == [1.0]


def test_a_pattern_that_takes_too_long_does_not_match_and_is_told_once():
    slow = judges.rules.matches(r"(.*?,){25}P|(a|aa)+$|(x+x+)+y")
    bomb = "x" * 50_000 + "z"  # 5000 take half a second
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [slow("", bomb), slow("", bomb)] == [0.0, 0.0]
    assert time.monotonic() - start < 2 * SECONDS
    assert len(told) == 1
    assert all("write a pattern without nested repeats" in str(warning.message) for warning in told)
    assert slow("", "aaa") == 1.0  # a negative control


@pytest.mark.parametrize("pattern", ["a{99999999999}", "(", "[z-a]", "(?P<n>"])
def test_what_is_no_pattern_is_refused_in_one_line(pattern):
    with pytest.raises(ValueError, match="is not a regular expression"):
        judges.rules.matches(pattern)


@pytest.mark.parametrize(
    "kind", ["short", "items", "letter", "word", "lower", "upper", "first", "last", "mark"]
)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=TEXTS, second=TEXTS)
@example(first="." * 10**5 + "x", second="a'" * 10**5)
def test_the_judge_of_constraints_compares_every_pair(kind, first, second):
    request = {
        "short": "Answer in at most 5 words.",
        "items": "Answer with exactly three items, separated by commas.",
        "letter": "Do not use the letter e.",
        "word": "Use the word simple.",
        "lower": "Use only lower-case letters.",
        "upper": "Use only capital letters.",
        "first": "Begin with the word Well.",
        "last": "End with the word today.",
        "mark": "Answer with a question.",
    }[kind]
    prompt = f"Tell me about tea. {request}"
    p = bounded(lambda: prefer(prompt, first, second))
    assert 0 <= p <= 1 and abs(p + prefer(prompt, second, first) - 1) < 1e-12
    assert met(prompt, first) in (True, False)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
@example(text="\ud800" * 3)
@example(text="```python\nassert False\n``` ```\0```")
def test_programs_score_every_text(text):
    assert _passes("", text) == 0.0


_passes = judges.passes("assert add(1, 2) == 3", seconds=2.0)


@pytest.mark.parametrize("text", ["x" * (1 << 25), "(" * 10**5, "-" * 10**5 + "1", "\0", "x = " + "9" * 9999])
def test_programs_that_cannot_be_compiled_do_not_pass(text):
    assert bounded(lambda: _passes("", text)) == 0.0


@pytest.fixture(scope="module")
def models():
    tokenizer = tokenizer_of()
    reward = judges.RewardModel(classifier(tokenizer), tokenizer)
    pair = judges.Pairwise(classifier(tokenizer), tokenizer, lambda x, y, z: f"{x} {y} {z}")
    likelihood = judges.LogProb(tiny_model(len(tokenizer)), tokenizer, chat=False)
    asked = judges.LogProb(
        tiny_model(len(tokenizer)), tokenizer, "{prompt} a {first} b {second}", answers=("a", "b"), chat=False
    )
    return [reward, pair, likelihood, asked]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    first=st.text(alphabet=st.characters(), max_size=8),
    second=st.text(alphabet=st.sampled_from("rock\ud800\udfff\0‮{} "), max_size=8),
)
@example(first="\ud800", second="\udfff{prompt}")
def test_judges_that_are_models_read_every_text(models, first, second):
    for judge in models:
        p, q = judge.prefer(["a", "a"], [first, second], [second, first])
        assert 0 <= p <= 1 and abs(p + q - 1) < 1e-6


def test_a_judge_behind_a_server_is_sent_readable_texts(tmp_path):
    texts = [text[:1000] for text in BOMBS if len(text) < 10**4]
    with Server(lambda handler, n, content: reply(handler, "[[A]]")) as server:
        judge = judges.Cached(judges.Chat(server.url, "m", retries=0), tmp_path / "cache.jsonl")
        got = judge.prefer(["p"] * len(texts), texts, ["other"] * len(texts))
    assert (got == 0.5).all()
    for request in server.requests:
        json.dumps(request).encode().decode("unicode-escape").encode()  # no unpaired surrogate is left
    again = judges.Cached(judges.Chat(server.url, "m", retries=0), tmp_path / "cache.jsonl")
    np.testing.assert_array_equal(again.prefer(["p"] * len(texts), texts, ["other"] * len(texts)), got)
