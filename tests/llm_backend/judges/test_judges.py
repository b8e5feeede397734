"""Judges: right answers, both orders, and a loud failure for everything that is no answer."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import pgames as pg  # noqa: E402
from llm_backend import judges  # noqa: E402
from llm_backend.judges import JudgeError  # noqa: E402
from tests.support import ROOT  # noqa: E402
from tests.support.llm_tiny import tiny_model, tiny_tokenizer  # noqa: E402

WORDS = ["rock", "scissors", "paper"]
PAIRS = [(y, z) for y in WORDS for z in WORDS]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %} {{ m.role }} {{ m.content }} {{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %} assistant {% endif %}"
)


def table(judge, prompt="a", responses=WORDS):
    """P float64[Y, Y] of a judge."""
    pairs = [(y, z) for y in responses for z in responses]
    answers = judge.prefer([prompt] * len(pairs), *map(list, zip(*pairs, strict=True)))
    assert answers.dtype == np.float64
    return answers.reshape(len(responses), len(responses))


def assert_preference(P):
    np.testing.assert_allclose(P + P.T, 1, atol=1e-12)
    assert (np.diag(P) == 0.5).all()


class First:
    """Prefers what comes first, with a true preference for length under it."""

    def prefer(self, prompts, firsts, seconds):
        return [0.7 + 0.02 * (len(y) - len(z)) for y, z in zip(firsts, seconds, strict=True)]


# -- the checked call -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([math.nan, 0.5], "returned nan for item 0"),
        ([0.5, 1.5], "returned 1.5 for item 1"),
        ([0.5, -0.1], "-0.1 for item 1"),
        ([0.5], "asked about 2 pairs and returned shape"),
        (0.5, "returned shape"),
        (None, "returned NoneType None, which is not float64"),
        (["A", "B"], "not float64"),
    ],
)
def test_nonsense_is_an_error_and_not_one_half(answer, says):
    class Odd:
        def prefer(self, prompts, firsts, seconds):
            return answer

    with pytest.raises(JudgeError, match=says) as caught:
        judges.ask(Odd(), ["p", "p"], ["a", "b"], ["b", "c"])
    assert "Odd" in str(caught.value)


def test_a_judge_that_raises_is_named_with_the_item():
    class Broken:
        def prefer(self, prompts, firsts, seconds):
            raise TimeoutError("no answer in 3 s")

    with pytest.raises(JudgeError, match=r"<Broken> raised TimeoutError: no answer in 3 s.*'why'.*repair"):
        judges.ask(judges.fair(Broken()), ["why"], ["a"], ["b"])


def test_batches_are_checked():
    rule = judges.Rule(judges.rules.longer)
    with pytest.raises(ValueError, match="equally many, got 1, 2 and 1"):
        rule.prefer(["p"], ["a", "b"], ["c"])
    with pytest.raises(TypeError, match="got one text: pass"):
        rule.prefer("p", ["a"], ["c"])
    with pytest.raises(TypeError, match=r"seconds\[0\] must be a str, got list"):
        rule.prefer(["p"], ["a"], [[3, 4]])
    assert judges.ask(rule, [], [], []).shape == (0,)


def test_both_orders_remove_the_bias_to_one_position():
    biased = np.array([First().prefer(["p"], [y], [z])[0] for y, z in PAIRS]).reshape(3, 3)
    assert np.abs(biased + biased.T - 1).max() > 0.3  # what would be learned without
    P = table(judges.fair(First()))
    assert_preference(P)
    expected = [[0.5 + 0.02 * (len(y) - len(z)) for z in WORDS] for y in WORDS]
    np.testing.assert_allclose(P, expected, atol=1e-15)


def test_fair_leaves_fair_judges_alone_and_refuses_what_is_no_judge():
    rule = judges.Rule(judges.rules.longer)
    assert judges.fair(rule) is rule
    with pytest.raises(TypeError, match=r"wrap a function in judges\.Rule"):
        judges.fair(lambda x, y, z: 0.5)
    with pytest.raises(TypeError, match="call it first"):
        judges.fair(First)


# -- tables ---------------------------------------------------------------------------------------------


def test_table_is_the_game():
    P = pg.games.rock_paper_scissors().P[0]
    np.testing.assert_array_equal(table(judges.Table(P, WORDS)), P)
    many = np.stack([P, P.T])
    judge = judges.Table(many, [WORDS, WORDS[::-1]], prompts=["x", "y"])
    np.testing.assert_array_equal(table(judge, "x"), P)
    np.testing.assert_array_equal(table(judge, "y"), P.T[::-1, ::-1])


def test_table_says_what_it_does_not_know():
    P = np.full((3, 3), 0.5)
    with pytest.raises(JudgeError, match=r"no response 'lizard' \(item 1\); it knows 3: 'rock'"):
        judges.Table(P, WORDS).prefer(["p", "p"], ["rock", "paper"], ["paper", "lizard"])
    with pytest.raises(JudgeError, match="no prompt 'q'"):
        judges.Table(P, WORDS, prompts=["p"]).prefer(["q"], ["rock"], ["paper"])
    with pytest.raises(ValueError, match="pass prompts="):
        judges.Table(np.stack([P, P]), WORDS)
    with pytest.raises(ValueError, match="'rock' is there twice"):
        judges.Table(P, ["rock", "rock", "paper"])
    with pytest.raises(ValueError, match="3 x 3 but there are 2 responses"):
        judges.Table(P, ["rock", "paper"])
    with pytest.raises(ValueError, match="P \\+ P' must be 1"):
        judges.Table(np.eye(3), WORDS)


# -- rules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "response", "right"),
    [
        ("What is 12 + 7?", "12 + 7 = 19", 1),
        ("What is 12 + 7?", "19 is 12 + 7", 0),  # the last number counts
        ("Compute (3+4)*2 =", "14.0", 1),
        ("1/3 + 1/6", "1/2", 1),
        ("2 - 5", "it is -3.", 1),
        ("2 - 5", "3", 0),
        ("1000 * 1000", "1,000,000", 1),
        ("1 + 1", "two", 0),
        ("1 + 1", "", 0),
    ],
)
def test_arithmetic(prompt, response, right):
    assert judges.rules.arithmetic(prompt, response) == right


def test_rules_rank_and_tie():
    rule = judges.Rule(judges.rules.arithmetic)
    answers = rule.prefer(["2 + 2"] * 4, ["4", "5", "4", "6"], ["5", "4", "four: 4", "7"])
    np.testing.assert_array_equal(answers, [1, 0, 0.5, 0.5])
    assert_preference(table(judges.Rule(judges.rules.shorter)))
    answer = judges.rules.equals({"apples": "#### 1,200"})
    assert answer("apples", "so 1200") == 1 and answer("apples", "so 120") == 0
    form = judges.rules.matches(r"<answer>.*</answer>")
    assert form("", "<answer>a\nb</answer>") == 1 and form("", "x<answer></answer>") == 0


def test_rules_of_pairs_are_averaged_over_both_orders():
    assert_preference(table(judges.Rule(prefer=lambda x, y, z: 0.9)))
    cycle = {("rock", "scissors"): 1, ("scissors", "paper"): 1, ("paper", "rock"): 1}
    judge = judges.Rule(prefer=lambda x, y, z: cycle.get((y, z), 0), workers=2)
    np.testing.assert_array_equal(table(judge), [[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]])


def test_rules_that_fail_are_named():
    with pytest.raises(
        JudgeError, match=r"Rule\(arithmetic\) raised ValueError: no arithmetic expression.*'hello'"
    ):
        judges.Rule(judges.rules.arithmetic).prefer(["hello"], ["1"], ["2"])
    with pytest.raises(JudgeError, match="returned nan on"):
        judges.Rule(lambda x, y: math.nan, name="odd").prefer(["p"], ["1"], ["2"])
    with pytest.raises(JudgeError, match="returned None on"):
        judges.Rule(lambda x, y: None, workers=2).prefer(["p"], ["1"], ["2"])  # pyright: ignore
    with pytest.raises(JudgeError, match="returned 3"):
        judges.Rule(prefer=lambda x, y, z: 3.0).prefer(["p"], ["1"], ["2"])
    with pytest.raises(TypeError, match="either score"):
        judges.Rule()


def test_each_response_is_scored_once():
    calls = []
    judge = judges.Rule(lambda x, y: calls.append(y) or len(y))
    table(judge)
    assert sorted(calls) == sorted(WORDS)


TESTS = "assert add(2, 3) == 5\nassert add(-1, 1) == 0"


@pytest.mark.parametrize(
    ("program", "right"),
    [
        ("def add(a, b):\n    return a + b", 1),
        ("Here:\n```python\ndef add(a, b):\n    return a + b\n```\nDone.", 1),
        ("def add(a, b):\n    return a - b", 0),
        ("def add(a, b:", 0),
        ("", 0),
        ("import sys; sys.exit(0)", 0),
        ("import os; os._exit(0)", 0),
        ("import os; os.kill(os.getpid(), 9)", 0),
        ("def add(a, b):\n    return a + b\nprint('x' * 10 ** 6)", 1),
    ],
)
def test_programs(program, right):
    assert judges.passes(TESTS)("add two numbers", program) == right


def test_programs_have_limits():
    # CPU seconds, not memory of the suite: both end in their own process.
    assert judges.passes(TESTS, seconds=0.5)("", "while True: pass") == 0
    assert judges.passes(TESTS, seconds=0.5)("", "import time; time.sleep(60)") == 0
    hungry = "x = bytearray(1 << 30)\ndef add(a, b):\n    return a + b"
    assert judges.passes(TESTS, memory=1 << 28)("", hungry) == 0
    assert judges.passes(TESTS, memory=1 << 32)("", hungry) == 1


def test_programs_that_could_never_run_are_no_failures_of_the_model(monkeypatch):
    with pytest.raises(ValueError, match="memory >= "):
        judges.passes(TESTS, memory=1000)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="cannot run an empty program"):
        judges.passes(TESTS)


def test_programs_judge():
    judge = judges.Rule(judges.passes({"add": TESTS}), workers=2)
    good, bad = "def add(a, b): return a + b", "def add(a, b): return 0"
    np.testing.assert_array_equal(judge.prefer(["add", "add"], [good, bad], [bad, good]), [1, 0])
    with pytest.raises(JudgeError, match="KeyError: 'subtract'"):
        judge.prefer(["subtract"], [good], [bad])


# -- classifiers ----------------------------------------------------------------------------------------


def tokenizer_of(words=(*WORDS, "a", "b", "user", "assistant", "system")):
    tokenizer = tiny_tokenizer(words)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def classifier(tokenizer, labels=1, pad=0, seed=0):
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=32, num_labels=labels, pad_token_id=pad,
        initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForSequenceClassification(config)


@pytest.mark.parametrize("pad", [0, None])
def test_reward_model_is_bradley_terry_with_its_own_template(pad):
    tokenizer = tokenizer_of()
    model = classifier(tokenizer, pad=pad)
    judge = judges.RewardModel(model, tokenizer, batch=4)
    responses = [*WORDS, "rock paper paper", ""]
    scores = []
    for response in responses:  # one at a time, by hand, so no padding at all
        text = f"<bos> user a <eos> assistant {response} <eos>"
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        assert (ids == tokenizer.bos_token_id).sum() == 1
        with torch.no_grad():
            scores.append(model(ids).logits[0, 0].item())
    got = judge.scores(["a"] * 5, responses)
    np.testing.assert_allclose(got, scores, atol=1e-5)
    assert np.ptp(scores) > 0.05
    P = table(judge, responses=responses)
    assert_preference(P)
    np.testing.assert_allclose(P, 1 / (1 + np.exp(got[None, :] - got[:, None])), atol=1e-12)
    assert model.config.pad_token_id == pad  # left as found


def test_padding_with_eos_would_read_the_wrong_token():
    """Negative control: why a classifier without a pad token is not simply padded with EOS."""
    tokenizer = tokenizer_of()
    model = classifier(tokenizer, pad=None)
    ids = tokenizer("<bos> user a <eos>", add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        right = model(ids).logits.item()
        model.config.pad_token_id = tokenizer.eos_token_id
        wrong = model(ids).logits.item()
    assert abs(right - wrong) > 1e-2


def test_reward_model_without_a_chat_template():
    tokenizer = tiny_tokenizer(WORDS)
    model = classifier(tokenizer)
    with pytest.raises(ValueError, match=r"no chat template.*of your own"):
        judges.RewardModel(model, tokenizer)
    judge = judges.RewardModel(model, tokenizer, template=lambda x, y: f"{x} {y}")
    assert_preference(table(judge))
    other = judges.RewardModel(model, tokenizer, template=lambda x, y: f"{y} {x}")
    assert judge.name != other.name
    assert judge.name == judges.RewardModel(model, tokenizer, template=lambda x, y: f"{x} {y}").name


def test_classifiers_refuse_what_they_cannot_score():
    tokenizer = tokenizer_of()
    judge = judges.RewardModel(classifier(tokenizer), tokenizer)
    with pytest.raises(JudgeError, match=r"RewardModel.*cannot read \d+ tokens, only 1 to 32"):
        judge.prefer(["a"], ["rock " * 40], ["paper"])
    with pytest.raises(ValueError, match="has 3 labels, need 1"):
        judges.RewardModel(classifier(tokenizer, labels=3), tokenizer)
    broken = classifier(tokenizer)
    with torch.no_grad():
        broken.score.weight.fill_(float("nan"))
    with pytest.raises(JudgeError, match=r"RewardModel\(.*returned \[nan\].*check its weights"):
        judges.RewardModel(broken, tokenizer).prefer(["a"], ["rock"], ["paper"])


def test_reward_model_from_a_folder(tmp_path):
    tokenizer = tokenizer_of()
    model = classifier(tokenizer)
    model.save_pretrained(tmp_path / "good")
    tokenizer.save_pretrained(tmp_path / "good")
    loaded = judges.RewardModel.from_pretrained(str(tmp_path / "good"))
    np.testing.assert_allclose(table(loaded), table(judges.RewardModel(model, tokenizer)), atol=1e-6)
    causal = tiny_model(len(tokenizer))
    causal.save_pretrained(tmp_path / "causal")
    tokenizer.save_pretrained(tmp_path / "causal")
    with pytest.raises(ValueError, match=r"no weights for score.weight, which would stay random"):
        judges.RewardModel.from_pretrained(str(tmp_path / "causal"))
    likes = judges.LogProb.from_pretrained(str(tmp_path / "causal"), per_token=True)
    np.testing.assert_allclose(
        table(likes), table(judges.LogProb(causal, tokenizer, per_token=True)), atol=1e-6
    )


@pytest.mark.parametrize("labels", [1, 2])
def test_pairwise_models_are_averaged_over_both_orders(labels):
    tokenizer = tokenizer_of()
    model = classifier(tokenizer, labels)
    judge = judges.Pairwise(model, tokenizer, lambda x, y, z: f"user {x} a {y} b {z}")
    P = table(judge)
    assert_preference(P)
    one = np.empty((3, 3))
    for i, y in enumerate(WORDS):
        for j, z in enumerate(WORDS):
            ids = tokenizer(f"user a a {y} b {z}", return_tensors="pt")["input_ids"]
            with torch.no_grad():
                logits = model(ids).logits[0].double()
            one[i, j] = torch.sigmoid(logits[0] - (logits[1] if labels == 2 else 0)).item()
    assert np.abs(one + one.T - 1).max() > 0.01
    np.testing.assert_allclose(P, (one + 1 - one.T) / 2, atol=1e-6)


# -- a causal model as judge ----------------------------------------------------------------------------


@pytest.mark.parametrize("per_token", [False, True])
def test_log_prob_judge_is_the_chain_rule(per_token):
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    judge = judges.LogProb(model, tokenizer, per_token=per_token, chat=False, batch=2)
    responses = ["rock", "paper scissors rock", ""]
    expected = []
    for response in responses:
        head = tokenizer("a")["input_ids"]
        tail = [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([head + tail])).logits[0].double(), -1)
        total = sum(logs[len(head) - 1 + k, token].item() for k, token in enumerate(tail))
        expected.append(total / len(tail) if per_token else total)
    np.testing.assert_allclose(judge.scores(["a"] * 3, responses), expected, atol=1e-5)
    assert_preference(table(judge, responses=responses))


def test_log_prob_judge_asked_for_a_or_b():
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    question = "{prompt} a {first} b {second}"
    judge = judges.LogProb(model, tokenizer, question, answers=("a", "b"))
    P = table(judge)
    assert_preference(P)

    def odds(y, z):
        text = f"<bos> user a a {y} b {z} <eos> assistant "
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logs = torch.log_softmax(model(ids).logits[0, -1], -1)[
                tokenizer.convert_tokens_to_ids(["a", "b"])
            ]
        return torch.softmax(logs, 0)[0].item()

    expected = (odds("rock", "paper") + 1 - odds("paper", "rock")) / 2
    assert P[0, 2] == pytest.approx(expected, abs=1e-6) and abs(expected - 0.5) > 1e-4
    with pytest.raises(ValueError, match="two different single tokens"):
        judges.LogProb(model, tokenizer, question, answers=("a b", "b"))
    with pytest.raises(KeyError):
        judges.LogProb(model, tokenizer, "{first} or {other}?", answers=("a", "b"))
    with pytest.raises(JudgeError, match="cannot read"):
        judge.prefer(["a"], ["rock " * 60], ["paper"])


# -- majorities -----------------------------------------------------------------------------------------


def test_a_majority_of_consistent_judges_goes_round_in_a_cycle():
    def ranking(order):
        return judges.Rule(lambda x, y: -order.index(y), name=str(order))

    voters = [ranking(WORDS[k:] + WORDS[:k]) for k in range(3)]
    for voter in voters:  # each is transitive: somebody beats both others
        assert (table(voter) > 0.5).sum(axis=1).max() == 2
    for hard, share in ((False, 2 / 3), (True, 1.0)):
        P = table(judges.Majority(voters, hard=hard))
        assert_preference(P)
        np.testing.assert_allclose(P[[0, 1, 2], [1, 2, 0]], share)
    with pytest.raises(ValueError, match="at least one judge"):
        judges.Majority([])


def test_a_majority_fails_with_its_judges():
    def fails(x, y):
        raise OSError("gone")

    with pytest.raises(JudgeError, match=r"Rule\(second\) raised OSError: gone"):
        table(judges.Majority([judges.Rule(judges.rules.longer), judges.Rule(fails, name="second")]))


# -- the cache ------------------------------------------------------------------------------------------


class Counting:
    """A moody judge that counts."""

    name = "Counting"
    as_is = True

    def __init__(self):
        self.asked, self.random = 0, np.random.default_rng(0)

    def prefer(self, prompts, firsts, seconds):
        self.asked += len(prompts)
        return self.random.random(len(prompts))


def test_cache_asks_each_pair_once_and_survives(tmp_path):
    path = tmp_path / "deep" / "cache.jsonl"
    judge = judges.Cached(Counting(), path, chunk=2)
    P = table(judge)
    assert_preference(P)
    assert judge.judge.asked == 3 and len(judge) == 3
    again = judges.Cached(Counting(), path)
    np.testing.assert_array_equal(table(again), P)  # to the bit
    assert again.judge.asked == 0 and (again.hits, again.misses) == (6, 0)
    np.testing.assert_array_equal(table(judge), P)


def test_cache_of_a_torn_file(tmp_path):
    path = tmp_path / "cache.jsonl"
    P = table(judges.Cached(Counting(), path))
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):  # killed after any byte
        path.write_bytes(whole[:cut])
        judge = judges.Cached(Counting(), path)
        got = table(judge)
        assert judge.judge.asked == 3 - max(0, whole[:cut].count(b"}") - 1)
        np.testing.assert_array_equal(table(judges.Cached(Counting(), path)), got)
    np.testing.assert_array_equal(got, P)


@pytest.mark.slow
def test_cache_after_kill_9(tmp_path):
    path = tmp_path / "cache.jsonl"
    code = f"""
import time, numpy as np
from llm_backend import judges
judge = judges.Rule(lambda x, y: time.sleep(0.01) or len(y), name="slow")
cached = judges.Cached(judge, {str(path)!r}, chunk=1)
cached.prefer(["p"] * 1000, ["a" * i for i in range(1000)], ["b"] * 1000)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 120
    while (not path.exists() or path.read_bytes().count(b"\n") < 8) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    judge = judges.Cached(judges.Rule(lambda x, y: len(y), name="slow"), path)
    assert 7 <= len(judge) < 1000
    known = len(judge)
    answers = judge.prefer(["p"] * 1000, ["a" * i for i in range(1000)], ["b"] * 1000)
    np.testing.assert_array_equal(answers, (1 + np.sign(np.arange(1000) - 1.0)) / 2)
    assert judge.misses == 1000 - known


def test_cache_belongs_to_one_judge(tmp_path):
    path = tmp_path / "cache.jsonl"
    table(judges.Cached(judges.Rule(judges.rules.longer), path))
    with pytest.raises(ValueError, match=r"holds answers of Rule\(longer\), not of Rule\(shorter\)"):
        judges.Cached(judges.Rule(judges.rules.shorter), path)
    path.write_text('{"prompt": "not a cache"}\n')
    with pytest.raises(ValueError, match="does not name its judge"):
        judges.Cached(judges.Rule(judges.rules.longer), path)
    path.write_text('{"judge": "Rule(longer)"}\n{"key": "0", "p": 7}\n')
    with pytest.raises(ValueError, match=r"not an answer in \[0, 1\]"):
        judges.Cached(judges.Rule(judges.rules.longer), path)


# -- a chat model behind a server -----------------------------------------------------------------------


class Server:
    """A fake OpenAI-compatible server; `behave(self, handler, n, content)` answers the n-th request."""

    def __init__(self, behave):
        self.requests, self.headers = [], []
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    server.requests.append(body)
                    server.headers.append(dict(self.headers))
                    n = len(server.requests)
                try:
                    behave(self, n, body["messages"][0]["content"])
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, format, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def reply(handler, text, tokens=10, status=200, headers=()):
    data = json.dumps({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": tokens}})
    if tokens is None:
        data = json.dumps({"choices": [{"message": {"content": text}}]})
    send(handler, data if status == 200 else text, status, headers)


def send(handler, data, status=200, headers=()):
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data.encode())))
    handler.end_headers()
    handler.wfile.write(data.encode())


def longer_wins(handler, n, content):
    """An honest answer: the longer response."""
    first = content.split("[Response A]\n")[1].split("\n")[0]
    second = content.split("[Response B]\n")[1].split("\n")[0]
    reply(handler, "Hm, not [[C]]. So: " + ("[[A]]" if len(first) > len(second) else "[[B]]"))


def chat(server, **options):
    return judges.Chat(server.url, "tiny", **{"backoff": 0.01, "timeout": 20.0, **options})


def test_chat_asks_both_orders():
    with Server(longer_wins) as server:
        judge = chat(server, settings={"temperature": 0.5, "max_tokens": 9})
        P = table(judge)
    assert_preference(P)
    lengths = np.array([len(word) for word in WORDS])
    np.testing.assert_array_equal(P, (1 + np.sign(lengths[:, None] - lengths)) / 2)
    assert judge.calls == 12 == len(server.requests) and judge.tokens == 120  # 6 ordered pairs, twice
    assert server.requests[0]["temperature"] == 0.5 and server.requests[0]["max_tokens"] == 9
    assert server.requests[0]["model"] == "tiny" and "Authorization" not in server.headers[0]


def test_chat_that_always_says_a_is_worth_nothing():
    with Server(lambda handler, n, content: reply(handler, "[[A]]")) as server:
        np.testing.assert_array_equal(table(chat(server)), np.full((3, 3), 0.5))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_chat_tries_again_when_the_server_is_busy(status):
    def behave(handler, n, content):
        if n <= 2:
            reply(handler, "busy", status=status, headers=[("Retry-After", "0.01")])
        else:
            longer_wins(handler, n, content)

    with Server(behave) as server:
        judge = chat(server, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
    assert judge.calls == 4


@pytest.mark.parametrize(
    "garbage",
    [
        lambda h: send(h, "<html>gateway</html>"),
        lambda h: send(h, "[]"),
        lambda h: send(h, '{"choices": []}'),
        lambda h: reply(h, "I like both."),
        lambda h: reply(h, None),
        lambda h: h.wfile.write(b"not http at all\r\n\r\n"),
        lambda h: h.connection.close(),
    ],
)
def test_chat_asks_again_after_garbage_then_raises(garbage):
    def once(handler, n, content):
        garbage(handler) if n == 1 else longer_wins(handler, n, content)

    with Server(once) as server:
        np.testing.assert_array_equal(chat(server).prefer(["p"], ["long"], ["s"]), [1])
    with Server(lambda handler, n, content: garbage(handler)) as server:
        judge = chat(server, retries=2, workers=1)
        with pytest.raises(
            JudgeError, match=r"Chat\(tiny.*item 0.*3 attempts failed, the last with .*not assumed"
        ):
            judge.prefer(["p"], ["long"], ["s"])
    assert judge.calls == 3


def test_chat_says_that_answers_were_cut():
    def cut(handler, n, content):
        choice = {"message": {"content": "Let me think: Response A"}, "finish_reason": "length"}
        send(handler, json.dumps({"choices": [choice], "usage": {"total_tokens": float("nan")}}))

    with Server(cut) as server:
        with pytest.raises(JudgeError, match=r"cut at the length limit: raise max_tokens in settings"):
            chat(server, retries=0).prefer(["p"], ["a"], ["b"])
        with pytest.raises(JudgeError, match=r"counts no tokens.*set max_calls"):
            chat(server, retries=0, max_tokens=9).prefer(["p"], ["a"], ["b"])


@pytest.mark.parametrize("pause", ["nan", "inf", "-1", "Wed, 21 Oct 2099 07:28:00 GMT", "99999"])
def test_chat_waits_no_longer_than_timeout(pause):
    def behave(handler, n, content):
        if n == 1:
            reply(handler, "busy", status=429, headers=[("Retry-After", pause)])
        else:
            longer_wins(handler, n, content)

    with Server(behave) as server:
        judge = chat(server, timeout=0.2, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
    assert judge.calls == 3


def test_chat_body_cut_short():
    whole = json.dumps({"choices": [{"message": {"content": "[[A]]"}}]})

    def behave(handler, n, content):
        if n > 1:
            return longer_wins(handler, n, content)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[:30].encode())

    with Server(behave) as server:
        judge = chat(server, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
    assert judge.calls == 3


def test_chat_refused_connection():
    with Server(longer_wins) as server:
        pass  # gone again, so nobody listens there
    with pytest.raises(
        JudgeError, match=r"attempts failed, the last with .*refused.*Check that the server runs"
    ):
        chat(server, retries=1).prefer(["p"], ["a"], ["b"])


def test_chat_slow_server():
    release = threading.Event()

    def slow(handler, n, content):
        if n == 1:
            release.wait(20)
        longer_wins(handler, n, content)

    with Server(slow) as server:
        judge = chat(server, timeout=0.5, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
        assert judge.calls == 3
        release.set()

    def dripping(handler, n, content):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.05)

    with Server(dripping) as server:
        with pytest.raises(JudgeError, match="longer than timeout"):
            chat(server, timeout=0.3, retries=0, workers=1).prefer(["p"], ["long"], ["s"])


@pytest.mark.parametrize("status", [400, 401, 404, 307])
def test_chat_refusals_are_not_retried(status, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "secret")

    def refuse(handler, n, content):
        reply(handler, "no such model", status=status, headers=[("Location", "http://127.0.0.1:9/elsewhere")])

    with Server(refuse) as server:
        judge = chat(server, workers=1, key_variable="JUDGE_KEY")
        with pytest.raises(JudgeError, match=f"answered {status}.*no such model.*not retried") as caught:
            judge.prefer(["p"], ["a"], ["b"])
    assert judge.calls == 1 and server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in str(caught.value) + judge.name


def test_chat_limits_requests_at_once():
    lock, running, most = threading.Lock(), 0, 0

    def slowly(handler, n, content):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:  # before the answer: after it the next request may come first
            running -= 1
        longer_wins(handler, n, content)

    with Server(slowly) as server:
        chat(server, workers=3).prefer(["p"] * 12, [f"{i}" * i for i in range(1, 13)], [""] * 12)
    assert 1 < most <= 3


def test_chat_budget_and_what_was_paid_for_is_kept(tmp_path):
    pairs = (["p"] * 6, [f"{i}" * i for i in range(1, 7)], [""] * 6)
    with Server(longer_wins) as server:
        judge = chat(server, workers=1, max_calls=7)
        cached = judges.Cached(judge, tmp_path / "cache.jsonl")
        with pytest.raises(
            JudgeError, match=r"budget max_calls = 7 is spent \(7 calls, 70 tokens\)"
        ) as caught:
            cached.prefer(*pairs)
        assert len(caught.value.answered) == 3 == len(cached) and judge.calls == 7
        more = judges.Cached(chat(server, workers=1), tmp_path / "cache.jsonl")
        np.testing.assert_array_equal(more.prefer(*pairs), np.ones(6))
        assert more.judge.calls == 6  # three pairs left, both orders
        with pytest.raises(JudgeError, match="budget max_tokens = 25 is spent"):
            chat(server, workers=1, max_tokens=25).prefer(*pairs)
    with Server(lambda handler, n, content: reply(handler, "[[A]]", tokens=None)) as server:
        with pytest.raises(JudgeError, match=r"counts no tokens.*set max_calls"):
            chat(server, max_tokens=25).prefer(*pairs)


def test_chat_parse_that_fails():
    with Server(longer_wins) as server:
        with pytest.raises(JudgeError, match=r"parsed as 7.*not in"):
            chat(server, parse=lambda text: 7.0, retries=0).prefer(["p"], ["a"], ["b"])
        with pytest.raises(JudgeError, match="raised ZeroDivisionError"):
            chat(server, parse=lambda text: 1 / 0).prefer(["p"], ["a"], ["b"])


def test_chat_options_are_checked(monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(ValueError, match="must begin with http"):
        judges.Chat("localhost:8000", "m")
    with pytest.raises(ValueError, match="JUDGE_KEY is not set"):
        judges.Chat("http://127.0.0.1:1", "m", key_variable="JUDGE_KEY")
    with pytest.raises(ValueError, match="retries >= 0"):
        judges.Chat("http://127.0.0.1:1", "m", retries=-1)
    with pytest.raises(ValueError, match=r"other than \{prompt\}, \{first\} and \{second\} \('other'\)"):
        judges.Chat("http://127.0.0.1:1", "m", question="{first} or {other}?")
    with pytest.raises(ValueError, match="must show both responses"):
        judges.Chat("http://127.0.0.1:1", "m", question="{prompt}: is {first} good?")


def test_the_example_of_the_documentation():
    page = (ROOT / "docs" / "judges.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    assert names["judge"].prefer(["What is 2 + 3?"], ["5"], ["It is 6, please."]) == pytest.approx(2 / 3)
