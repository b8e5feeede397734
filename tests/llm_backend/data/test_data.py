"""Prompts: read from every kind of file, and encoded to the exact tokens."""

import json
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from llm_backend.data import (  # noqa: E402
    Demonstration,
    encode_prompts,
    encode_responses,
    pad_token,
    padded,
    read_demonstrations,
    read_prompts,
    render,
)
from tests.support.llm_tiny import tiny_tokenizer  # noqa: E402

MESSAGES = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": "c"},
]
ROWS = [{"prompt": "one", "response": "two", "n": 1}, {"prompt": MESSAGES, "response": "three", "n": 2}]
TURNS = (
    "{% for m in messages %} {{ m.role }} {{ m.content }} {{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %} assistant{% endif %}"
)
WORDS = ("a", "b", "c", "user", "assistant", "system", "be", "kind")


def chat_tokenizer(template="{{ bos_token }}" + TURNS):
    tokenizer = tiny_tokenizer(WORDS)
    tokenizer.chat_template = template
    return tokenizer


def texts(tokenizer, rows):
    return [" ".join(tokenizer.convert_ids_to_tokens(row)) for row in rows]


# -- files ----------------------------------------------------------------------------------------------


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_jsonl(tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", ROWS)
    assert read_prompts(path) == ["one", MESSAGES]
    assert read_prompts(path, limit=1) == ["one"]
    assert read_prompts(path, column="response") == ["two", "three"]
    assert read_demonstrations(path) == [Demonstration("one", "two"), Demonstration(MESSAGES, "three")]  # pyright: ignore
    path.write_bytes("\ufeff".encode() + b'{"prompt": "x"}\r\n\r\n{"prompt": "y"}')
    assert read_prompts(path) == ["x", "y"]


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"q": ["one", "two"], "a": ["1", "2"]}), tmp_path / "p.parquet")
    assert read_prompts(tmp_path / "p.parquet", column="q", limit=1) == ["one"]
    assert read_demonstrations(tmp_path / "p.parquet", "q", "a")[1] == ("two", "2")
    with pytest.raises(ValueError, match=r"no column 'prompt', it has q, a: pass one"):
        read_prompts(tmp_path / "p.parquet")
    pq.write_table(pa.table({"prompt": [MESSAGES]}), tmp_path / "m.parquet")
    assert read_prompts(tmp_path / "m.parquet") == [MESSAGES]


def test_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"prompt": ["one", "two"], "n": [1, 2]})
    data.save_to_disk(tmp_path / "flat")
    datasets.DatasetDict({"train": data, "test": data.select([1])}).save_to_disk(tmp_path / "dict")
    assert read_prompts(tmp_path / "flat") == ["one", "two"]
    assert read_prompts(tmp_path / "dict", split="test") == ["two"]
    with pytest.raises(ValueError, match="no split 'dev', it has train, test"):
        read_prompts(tmp_path / "dict", split="dev")
    with pytest.raises(ValueError, match="no column 'text', it has prompt, n"):
        read_prompts(tmp_path / "flat", column="text")
    folder = tmp_path / "folder"  # a folder of files, which load_dataset understands
    folder.mkdir()
    write_jsonl(folder / "train.jsonl", [{"prompt": "x"}, {"prompt": "y"}])
    assert read_prompts(folder, limit=1) == ["x"]


def test_a_name_goes_to_the_hub(monkeypatch):
    """Without network: the arguments passed to `datasets`."""
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return datasets.Dataset.from_dict({"prompt": ["p"]})

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", load_dataset)
    assert read_prompts("someone/some-prompts", split="train_prefs") == ["p"]
    assert asked == [("someone/some-prompts", "train_prefs")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"prompt": "a"', "line 2 is not JSON"),
        ('["a"]', "line 2 is list, not an object"),
        ('{"text": "a"}', "row 1 has no column 'prompt', it has text"),
        ('{"prompt": ""}', "row 1, column 'prompt': the prompt is empty"),
        ('{"prompt": null}', "a prompt is a text or a list"),
        ('{"prompt": []}', "a prompt is a text or a list"),
        ('{"prompt": [{"role": "user"}]}', "a prompt is a text or a list"),
        ('{"prompt": [{"role": "assistant", "content": "x"}]}', "ends with the assistant"),
    ],
)
def test_bad_rows_are_named(tmp_path, line, says):
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "good"}\n' + line + "\n")
    with pytest.raises(ValueError, match=says):
        read_prompts(path)


def test_bad_files(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="has no rows"):
        read_prompts(tmp_path / "empty.jsonl")
    for name in ("none.jsonl", "none.parquet"):
        with pytest.raises(FileNotFoundError, match=rf"{name} is not there: pass the path of a \.\w+ file"):
            read_prompts(tmp_path / name)
    (tmp_path / "latin.jsonl").write_bytes(b'{"prompt": "a"}\n{"prompt": "\xe9"}\n')
    with pytest.raises(ValueError, match=r"line 2 is not UTF-8 .*: save it as UTF-8"):
        read_prompts(tmp_path / "latin.jsonl")
    with pytest.raises(ValueError, match=r"cannot read \.txt"):
        read_prompts(tmp_path / "p.txt")
    (tmp_path / "p.csv").write_text('prompt,n\n"one,\n1",1\ntwo,2\n')
    assert read_prompts(tmp_path / "p.csv") == ["one,\n1", "two"]
    (tmp_path / "p.csv").write_text("prompt,n\none\n")
    with pytest.raises(ValueError, match=r"is not a complete csv file \(.*\): copy or write it again"):
        read_prompts(tmp_path / "p.csv")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        read_prompts(tmp_path / "p.jsonl", limit=0)
    with pytest.raises(ValueError, match="a response is a text of length > 0, got ''"):
        read_demonstrations(write_jsonl(tmp_path / "d.jsonl", [{"prompt": "a", "response": ""}]))


def test_a_damaged_parquet_file_is_to_be_written_again(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"prompt": [f"number {i}" for i in range(999)]}), path)
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"prompt",
        whole[:-7],
        whole[:20] + bytes(len(whole) // 2) + whole[len(whole) // 2 + 20 :],
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"not a complete parquet file \(.*\): copy or write it again"):
            read_prompts(path)


def test_a_data_set_that_cannot_be_loaded_says_what_to_pass(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{")
    with pytest.raises(ValueError, match=r"saved cannot be read \(.*\): pass a .jsonl or .parquet file"):
        read_prompts(tmp_path / "saved")

    def offline(name, split):
        raise ConnectionError("the hub\ndoes not answer")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(
        ValueError, match=r"^some/prompts is not a file or folder here, and not on the hub \(Conn.*"
    ) as told:
        read_prompts("some/prompts")
    assert "\n" not in str(told.value)


def test_a_conversation_can_be_a_demonstration(tmp_path):
    answer = [*MESSAGES, {"role": "assistant", "content": "done"}]
    path = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "a", "chosen": answer}])
    assert read_demonstrations(path, response="chosen") == [Demonstration(MESSAGES, "done")]


SYSTEM, USER = {"role": "system", "content": "be kind"}, {"role": "user", "content": "a"}
DONE = {"role": "assistant", "content": "done"}


@pytest.mark.parametrize(
    ("prompt", "answer", "wanted"),
    [
        ("a", [*MESSAGES, DONE], MESSAGES),  # the prompt is the first question
        ("c", [*MESSAGES, DONE], MESSAGES),  # or the last
        ("a", [SYSTEM, USER, DONE], [SYSTEM, USER]),
        ([SYSTEM, USER], [USER, DONE], [SYSTEM, USER]),
        (MESSAGES, [*MESSAGES, DONE], MESSAGES),
        (MESSAGES, [DONE], MESSAGES),
        ("a", [DONE], "a"),
        ("a", [MESSAGES[1], MESSAGES[2], DONE], MESSAGES),  # goes on from the prompt
    ],
)
def test_an_answer_is_read_with_its_own_context(tmp_path, prompt, answer, wanted):
    path = write_jsonl(tmp_path / "d.jsonl", [{"prompt": prompt, "response": answer}])
    assert read_demonstrations(path) == [Demonstration(wanted, "done")]


@pytest.mark.parametrize("prompt", ["d", [SYSTEM, {"role": "user", "content": "d"}]])
def test_an_answer_to_another_conversation_is_refused(tmp_path, prompt):
    rows = [{"prompt": "a", "response": "b"}, {"prompt": prompt, "response": [*MESSAGES, DONE]}]
    with pytest.raises(ValueError, match=r"row 1: the answer in 'response' belongs to .* begins with 'a'"):
        read_demonstrations(write_jsonl(tmp_path / "d.jsonl", rows))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_column_of_whole_conversations_holds_prompt_and_answer(tmp_path, suffix):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"messages": [*MESSAGES, DONE]}]
    path = tmp_path / f"d.{suffix}"
    write_jsonl(path, rows) if suffix == "jsonl" else pq.write_table(pa.Table.from_pylist(rows), path)
    wanted = [Demonstration(MESSAGES, "done")]
    assert read_demonstrations(path) == wanted
    assert read_demonstrations(path, response="messages") == wanted
    assert read_demonstrations(path, "messages", "messages") == wanted
    with pytest.raises(ValueError, match=r"read_demonstrations\(source, response='messages'\)"):
        read_prompts(path, column="messages")
    with pytest.raises(ValueError, match="no column 'prompt'"):
        read_demonstrations(write_jsonl(tmp_path / "t.jsonl", [{"response": "a text"}]))


# -- tokens ---------------------------------------------------------------------------------------------


def test_chat_prompts_have_one_bos_wherever_it_comes_from():
    tokenizer = chat_tokenizer()
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id  # the post-processor adds one too
    rows = encode_prompts(tokenizer, ["a", MESSAGES], system="be kind")
    assert texts(tokenizer, rows) == [
        "<bos> system be kind <eos> user a <eos> assistant",
        "<bos> system be kind <eos> user a <eos> assistant b <eos> user c <eos> assistant",
    ]
    twice = tokenizer(render(tokenizer, "a"))["input_ids"]  # negative control
    assert twice[:2] == [tokenizer.bos_token_id] * 2


def test_chat_prompts_are_those_of_the_tokenizer():
    for template in ("{{ bos_token }}" + TURNS, TURNS):
        tokenizer = chat_tokenizer(template)
        expected = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        assert encode_prompts(tokenizer, [MESSAGES]) == [expected]


def test_plain_prompts_have_one_bos_and_no_eos():
    from tokenizers import processors

    tokenizer = tiny_tokenizer(WORDS)
    assert texts(tokenizer, encode_prompts(tokenizer, ["a b", "<bos> a"], chat=False)) == [
        "<bos> a b",
        "<bos> a",
    ]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    assert tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id
    assert texts(tokenizer, encode_prompts(tokenizer, ["a b"], chat=False)) == ["<bos> a b"]
    assert texts(tokenizer, encode_responses(tokenizer, ["a b", ""])) == ["a b <eos>", "<eos>"]


def test_long_prompts():
    tokenizer = chat_tokenizer()
    long = " ".join("abc"[i % 3] for i in range(30))
    with pytest.raises(ValueError, match=r"prompts\[1\] has 34 tokens but 10 fit.*template.*truncate='left'"):
        encode_prompts(tokenizer, ["a", long], context=10)
    rows = encode_prompts(tokenizer, ["a", long], context=10, truncate="left")
    assert texts(tokenizer, rows) == [
        "<bos> user a <eos> assistant",
        "<bos> " + long[-13:] + " <eos> assistant",
    ]
    assert len(rows[1]) == 10
    with pytest.raises(ValueError, match="must be 'left' or None, got 'right'"):
        encode_prompts(tokenizer, ["a"], truncate="right")  # pyright: ignore
    with pytest.raises(ValueError, match="at least 2 tokens, got 1"):
        encode_prompts(tokenizer, [long], context=1, truncate="left")


def test_what_a_template_cannot_do():
    with pytest.raises(ValueError, match="no chat template: pass chat=False"):
        encode_prompts(tiny_tokenizer(WORDS), ["a"])
    with pytest.raises(ValueError, match="need a chat template: pass chat=True"):
        encode_prompts(chat_tokenizer(), [MESSAGES], chat=False)
    with pytest.raises(ValueError, match="need a chat template: pass chat=True"):
        encode_prompts(chat_tokenizer(), ["a"], chat=False, system="be kind")
    with pytest.raises(ValueError, match="begins with a system message already"):
        encode_prompts(chat_tokenizer(), [[{"role": "system", "content": "be"}, *MESSAGES]], system="kind")
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TURNS
    with pytest.raises(ValueError, match=r"refuses the roles \['system', 'user'\] \(no system\)"):
        encode_prompts(chat_tokenizer(refuses), ["a"], system="be kind")
    with pytest.raises(TypeError, match=r"pass \[prompt\]"):
        encode_prompts(chat_tokenizer(), "a")  # pyright: ignore


def test_a_tokenizer_without_a_pad_token():
    tokenizer = tiny_tokenizer(WORDS)
    tokenizer.pad_token = None
    assert pad_token(tokenizer) == tokenizer.eos_token_id
    eos = tokenizer.eos_token_id
    ids, mask = padded([[5, eos], [4, 5, eos]], pad_token(tokenizer), "left")
    assert ids.tolist() == [[eos, 5, eos], [4, 5, eos]] and mask.tolist() == [[0, 1, 1], [1, 1, 1]]
    ids, mask = padded([[5, eos], [4, 5, eos]], pad_token(tokenizer), "right")
    assert ids.tolist() == [[5, eos, eos], [4, 5, eos]] and mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match=r"set tokenizer\.pad_token"):
        pad_token(tokenizer)
    with pytest.raises(ValueError, match=r"set tokenizer\.eos_token"):
        encode_responses(tokenizer, ["a"])
