"""Chat templates: what a run and Python read alike, and what a template can do wrong."""

import datetime
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from llm_backend import TextArena, judges  # noqa: E402
from llm_backend.data import CLOCK, DataWarning, Reading, encode_prompts, messages_of, render  # noqa: E402
from llm_backend.data.prompts import Conversation, identity  # noqa: E402
from llm_backend.models.language_model import LanguageModel  # noqa: E402
from llm_backend.policies.handles import BASE  # noqa: E402
from llm_backend.tiny import PROMPTS, TEMPLATE, random_llama, tiny_language_model, tiny_tokenizer  # noqa: E402

SHORTER = judges.Rule(judges.rules.shorter, name="shorter")
ASKED = "What is 1 plus 2?"
LONG = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "3"}]
LONG = [*LONG, {"role": "user", "content": "What is 2 plus 2?"}]
EMPTY = "{% if not enable_thinking %}<think></think>{% endif %}"


def model(template=TEMPLATE, **how):
    tokenizer = tiny_tokenizer([*PROMPTS, "user assistant system think/"])
    tokenizer.chat_template = template
    return LanguageModel(random_llama(len(tokenizer), 16, 16, 1, room=256), tokenizer, lora=2, **how)


def text(lm, tokens):
    return lm.tokenizer.decode(tokens)


def test_python_reads_prompts_by_the_template_as_runs_do():
    lm = model()
    wanted = f"<bos><user> {ASKED}\n<assistant> "
    assert text(lm, lm.encode(ASKED)) == wanted
    arena = TextArena(lm, [ASKED, LONG], SHORTER, max_new_tokens=4)
    rows = arena.space.sampling.prompts
    assert rows == encode_prompts(lm.tokenizer, [ASKED, LONG]) and text(lm, rows[0]) == wanted
    assert arena.lm is lm and isinstance(arena.prompts[1], Conversation)
    assert text(lm, model(chat=False).encode(ASKED)) == f"<bos>{ASKED}", "off by a word"
    off = TextArena(lm, [ASKED], SHORTER, max_new_tokens=4, chat=False)
    assert off.space.sampling.prompts == [off.lm.encode(ASKED)] == [model(chat=False).encode(ASKED)]
    lm.tokenizer.chat_template = None
    assert lm.encode(ASKED) == model(chat=False).encode(ASKED), "no template, so plain text"


def test_system_text_and_template_arguments_have_the_same_names_everywhere():
    template = TEMPLATE.replace("<assistant> {% endif %}", "<assistant> " + EMPTY + "{% endif %}")
    arguments = {"enable_thinking": True}
    lm = model(template, system="2 plus", template_arguments=arguments)
    assert text(lm, lm.encode(ASKED)) == f"<bos><system> 2 plus\n<user> {ASKED}\n<assistant> "
    plain = model(template)
    assert text(lm, plain.encode(ASKED)).endswith("<assistant> <think></think>")
    arena = TextArena(
        plain, [ASKED], SHORTER, max_new_tokens=4, system="2 plus", template_arguments=arguments
    )
    assert arena.space.sampling.prompts == [lm.encode(ASKED)]
    with pytest.raises(ValueError, match="does not read the argument 'enable_thinkin'"):
        model(template_arguments={"enable_thinkin": False}).encode(ASKED)


def test_a_view_of_the_model_shares_its_policies():
    lm = model()
    other = lm.reads(Reading(chat=False))
    with lm.train(BASE) as trainee:
        policy = lm.freeze(trainee)
    with other.train(BASE) as trainee:
        second = other.freeze(trainee)
    assert {lm.slot(policy), other.slot(second)} == {"p1", "p2"} and other.slot(policy) == "p1"


def test_the_clock_of_templates_stands_still(monkeypatch):
    dated = "\n{% if strftime_now is defined %}{{ strftime_now('%Y %d') }}{% endif %}\n" + TEMPLATE
    tokenizer = model(dated).tokenizer
    now = datetime.datetime.now()
    monkeypatch.setattr(CLOCK, "now", now)
    plain = tokenizer.apply_chat_template(messages_of(ASKED), tokenize=False, add_generation_prompt=True)
    assert render(tokenizer, ASKED) == plain and plain.startswith(f"\n{now:%Y %d}")
    monkeypatch.setattr(CLOCK, "now", datetime.datetime(2002, 12, 1))
    assert render(tokenizer, ASKED) == plain.replace(f"{now:%Y %d}", "2002 01")
    tokenizer.chat_template = "{% set form = '%' ~ 'Y' %}{{ strftime_now(form) }}"
    with pytest.raises(ValueError, match="needs a form that is written in the template"):
        render(tokenizer, ASKED)


def test_a_system_text_that_would_be_dropped_is_refused():
    deaf = TEMPLATE.replace("for message in messages", "for message in messages if message.role != 'system'")
    with pytest.raises(ValueError, match=r"ignores system messages, so 'Be short\.' would not be read: put"):
        model(deaf, system="Be short.").encode(ASKED)
    asked = [{"role": "system", "content": "Be short."}, {"role": "user", "content": ASKED}]
    with pytest.raises(ValueError, match="ignores system messages"):
        model(deaf).encode(asked)
    with pytest.raises(ValueError, match=r"^prompts\[1\]: the chat template ignores"):
        model(deaf).encode_prompts([ASKED, asked])
    model(deaf).encode(ASKED)


def test_prompts_that_look_rendered_already_are_named():
    lm = model()
    twice = [f"<bos><user> {prompt}\n<assistant> " for prompt in PROMPTS]
    with pytest.warns(DataWarning, match=r"8 of 9 prompts hold '<bos>'.*rendered twice. Pass chat=False"):
        lm.encode_prompts([*twice, ASKED])
    with warnings.catch_warnings():  # negative controls
        warnings.simplefilter("error")
        lm.encode_prompts([*PROMPTS, "a <b> tag", LONG])
        lm.reads(Reading(chat=False)).encode_prompts(twice)


def test_a_template_without_a_generation_prompt_is_named():
    bare = TEMPLATE.partition("{% if add_gen")[0]
    with pytest.warns(DataWarning, match="no generation prompt.*'<assistant>' between messages"):
        model(bare).encode(ASKED)
    brackets = (
        "{% for m in messages %}{% if m.role == 'user' %}<1> {{ m.content }} <2>{% else %} {{ m.content }}"
        "{{ eos_token }}{% endif %}{% endfor %}"
    )
    model(brackets).encode(ASKED)  # the end of the question is the header of the answer


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ messages[0]['content'] + 1 }}", r"fails on the roles \['user'\] \(TypeError: .*chat=False"),
        ("{{ messages[3].content.x }}", r"fails on the roles \['user'\] \(UndefinedError"),
        ("{% if %}", r"the chat template is not valid \(TemplateSyntaxError"),
        ("{{ raise_exception('never') }}", r"refuses the roles \['user'\] \(never\)"),
    ],
)
def test_a_template_that_raises_is_one_line(template, told):
    with pytest.raises(ValueError, match=told) as error:
        model(template).encode(ASKED)
    assert "\n" not in str(error.value)


def test_a_prompt_longer_than_the_context_after_its_template_is_told():
    lm = tiny_language_model()
    with pytest.raises(ValueError, match=r"the model's context is 256: shorten the prompts or lower"):
        TextArena(lm, [ASKED * 80], SHORTER, max_new_tokens=4)
    with pytest.raises(ValueError, match=r"the model's context is 256: shorten the prompts or lower"):
        TextArena(lm, [ASKED * 80], SHORTER, samples=None, responses=["3", "4"])


def test_conversations_that_read_alike_stay_apart():
    asked = Conversation(LONG)
    flat = str(asked)
    assert flat == "user: What is 1 plus 2?\n\nassistant: 3\n\nuser: What is 2 plus 2?"
    assert asked != flat and flat != asked and len({asked, flat, Conversation(LONG)}) == 2
    assert identity(asked) == [["user", ASKED], ["assistant", "3"], ["user", "What is 2 plus 2?"]]
    one = Conversation([{"role": "user", "content": ASKED}])
    assert one == ASKED and hash(one) == hash(ASKED) and identity(one) == ASKED
    arena = TextArena(model(), [asked, flat], SHORTER, max_new_tokens=4)
    assert len(set(map(tuple, arena.space.sampling.prompts))) == 2
    drawn = arena.sample(BASE, [LONG, flat], n=2)
    assert len(drawn[0]) == len(drawn[1]) == 2


# -- responses that arrive as texts ---------------------------------------------------------------------


def turns_model(ends="<end_of_turn>", special=True, known=True):
    """A Gemma-like model: EOS is <eos>, a turn ends in another token."""
    tokenizer = tiny_tokenizer([*PROMPTS, "user assistant yes no"])
    tokenizer.add_tokens([ends], special_tokens=special)
    tokenizer.chat_template = TEMPLATE.replace("}}\n", "}}" + ends + "\n")
    llama = random_llama(len(tokenizer), 16, 16, 1, room=256, spread=0.3)
    end = tokenizer.convert_tokens_to_ids(ends)
    llama.generation_config.eos_token_id = [2, end] if known else 2
    return LanguageModel(llama, tokenizer, lora=2), end


def alone(lm, prompt, responses):
    """log p of tokens given the prompt, by plain torch, one row at a time."""
    out = []
    for row in responses:
        with torch.no_grad():
            logits = lm.causal(torch.tensor([[*prompt, *row]])).logits[0].log_softmax(-1)
        out.append(sum(float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(row)))
    return np.array(out)


@pytest.mark.parametrize("known", [True, False])
def test_a_response_ends_as_a_turn_of_the_template_does(known):
    lm, end = turns_model(known=known)
    assert lm.end == end and set(lm.stops) == {2, end}
    yes, no = lm.encode_response("yes"), lm.encode_response("no")
    assert yes[-1] == no[-1] == end
    arena = TextArena(lm, [ASKED], SHORTER, samples=None, responses=["yes", "no"])
    logs = alone(lm, lm.encode(ASKED), [yes, no])
    wanted = np.exp(logs) / np.exp(logs).sum()
    np.testing.assert_allclose(arena.probs(BASE)[0], wanted, atol=1e-5)
    other = alone(lm, lm.encode(ASKED), [[*yes[:-1], 2], [*no[:-1], 2]])  # negative control
    assert abs(np.exp(other)[0] / np.exp(other).sum() - wanted[0]) > 1e-3
    judge = judges.LogProb(lm.causal, lm.tokenizer)
    np.testing.assert_allclose(judge.scores([ASKED] * 2, ["yes", "no"]), logs, atol=1e-4)
    plain = lm.reads(Reading(chat=False))
    assert plain.end == 2, "plain text ends in EOS"
    assert set(plain.stops) == ({2, end} if known else {2}) and plain.reads(lm.reading).stops == lm.stops


def test_a_response_that_holds_a_stop_token_is_refused():
    lm, _ = turns_model()
    for said in ("yes<eos>", "yes<end_of_turn> no"):
        with pytest.raises(ValueError, match=r"holds the stop token '<e.*>': remove it"):
            TextArena(lm, [ASKED], SHORTER, samples=None, responses=[said, "no"])
        with pytest.raises(ValueError, match="holds the stop token"):
            TextArena(lm, [ASKED], SHORTER, expert=[[said]], max_new_tokens=4)
    judge = judges.LogProb(lm.causal, lm.tokenizer)
    row = lm.encode_drawn("yes<eos>", lm.encode(ASKED))
    assert 2 not in row and lm.decode(row) == "yes<eos>", "as a model writes it that did not stop"
    wanted = alone(lm, lm.encode(ASKED), [row])
    np.testing.assert_allclose(judge.scores([ASKED], ["yes<eos>"]), wanted, atol=1e-4)


def prefix_tokenizer():
    """The Llama-2 kind: a blank before every text, and a line break of its own."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<pad>", "<bos>", "<eos>", "<unk>", "▁", "▁yes", "yes", "▁no", "no", "<0x0A>", "▁Say", "▁it"]
    pieces += list("yesnoSait:")
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    merges = [("y", "e"), ("ye", "s"), ("n", "o"), ("▁", "yes"), ("▁", "no"), ("S", "a"), ("Sa", "y")]
    merges += [("▁", "Say"), ("i", "t"), ("▁", "it")]
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>"
    )


@pytest.mark.parametrize("prompt", ["Say it:\n", "Say it:"])
def test_a_response_has_the_tokens_of_the_whole_text(prompt):
    tokenizer = prefix_tokenizer()
    ids = tokenizer.convert_tokens_to_ids
    assert tokenizer("yes")["input_ids"] == [ids("▁yes")], "the kind of tokenizer that is tested"
    llama = random_llama(len(tokenizer), 16, 16, 1, room=64, spread=0.3)
    lm = LanguageModel(llama, tokenizer, lora=2)
    asked = lm.encode(prompt)
    assert tokenizer(prompt + "yes")["input_ids"] == [*asked, ids("yes")]
    assert lm.encode_response("yes", asked) == [ids("yes"), 2]
    arena = TextArena(lm, [prompt], SHORTER, samples=None, responses=["yes", "no"])
    logs = alone(lm, asked, [[ids("yes"), 2], [ids("no"), 2]])
    np.testing.assert_allclose(arena.probs(BASE)[0], np.exp(logs) / np.exp(logs).sum(), atol=1e-5)
    taught = TextArena(lm, [prompt], SHORTER, samples=2, expert=[["yes"]], max_new_tokens=4)
    assert taught.expert is not None
    assert taught.sample(taught.expert).draws.tokens[0] == (ids("yes"), 2)


# -- what a judge reads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("special", [True, False])
def test_a_judge_reads_all_that_was_drawn_but_the_stop_token(special):
    lm, end = turns_model("<|im_end|>", special)
    lm.tokenizer.add_tokens(["<think>"], special_tokens=special)
    ids = lm.tokenizer("<think>yes 1 plus 2?", add_special_tokens=False)["input_ids"]
    assert lm.decode([*ids, end]) == lm.decode([*ids, 2]) == lm.decode(ids) == "<think>yes 1 plus 2?"


def test_blanks_are_not_cleaned_up():
    lm = tiny_language_model(texts=["x != y", "a , b"])
    lm.tokenizer.clean_up_tokenization_spaces = True
    ids = lm.tokenizer("x != y , a", add_special_tokens=False)["input_ids"]
    assert lm.decode(ids) == "x != y , a"


# -- messages that a template does not show -------------------------------------------------------------

ONLY_TWO = (  # as many templates: other roles are passed over
    "{% for m in messages %}{% if m['role'] in ['user', 'assistant', 'system'] %}<{{ m['role'] }}> "
    "{{ m['content'] | trim }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant> {% endif %}"
)
LAST = "<user> {{ messages[-1]['content'] }}\n{% if add_generation_prompt %}<assistant> {% endif %}"
NO_THOUGHTS = ONLY_TWO.replace("m['content'] | trim", "m['content'].split('</think>')[-1] | trim")
JSON = ONLY_TWO.replace("m['content'] | trim", "m['content'] | tojson")


@pytest.mark.parametrize(
    ("template", "messages", "lost"),
    [
        (ONLY_TWO, [{"role": "context", "content": "a fact"}, LONG[0]], "'a fact' of the role 'context'"),
        (ONLY_TWO, [{"role": "User", "content": "Hi"}, LONG[0]], "'Hi' of the role 'User'"),
        (LAST, LONG, f"'{ASKED}' of the role 'user'"),
        (LAST, [{"role": "system", "content": "Be kind."}, LONG[0]], "ignores system messages"),
    ],
)
def test_a_message_that_a_template_leaves_out_is_named(template, messages, lost):
    with pytest.raises(ValueError, match=f"the chat template .*{re.escape(lost)}"):
        model(template).encode(messages)


@pytest.mark.parametrize("template", [ONLY_TWO, NO_THOUGHTS, JSON])
def test_templates_may_trim_quote_and_drop_thoughts(template):
    talk = [{"role": "user", "content": ' say "a"\n'}, {"role": "assistant", "content": "<think>b</think>3"}]
    model(template).encode([*talk, LONG[0], LONG[1], LONG[0]])


def test_of_several_templates_the_default_is_used():
    lm = model({"default": TEMPLATE, "tool_use": "x"})
    assert text(lm, lm.encode(ASKED)) == f"<bos><user> {ASKED}\n<assistant> "
    with pytest.raises(ValueError, match=r"several chat templates \(rag, tool_use\) and none is the default"):
        model({"rag": TEMPLATE, "tool_use": "x"}).encode(ASKED)


@pytest.mark.parametrize("name", ["add_generation_prompt", "messages"])
def test_what_the_reader_sets_is_no_argument(name):
    with pytest.raises(ValueError, match=f"the template argument '{name}' is set by the reader"):
        model(template_arguments={name: False}).encode(ASKED)
