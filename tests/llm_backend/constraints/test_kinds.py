"""Every kind of constraint: a text that meets it, one that does not, one between, and degenerate ones."""

import pytest

from llm_backend.constraints.kinds import NEW, TRAINED, Constraint, constraint_of

KINDS = {kind.name: kind for kind in (*TRAINED, *NEW)}
CASES = {  # kind: (value, texts that meet it, texts with their grade below 1)
    "short": ("5", ["Snow is cold.", "It's white, cold, wet, soft."], {"one two three four five six": 5 / 6}),
    "one sentence": (
        "",
        ["Snow is cold.", 'She said: "snow is cold!"', "Is it?!"],
        {"Snow is cold. It falls.": 1 / 2, "Snow is cold": 1 / 2, "Snow is cold. It": 1 / 4},
    ),
    "three items": (
        "",
        ["red, green, blue", "old cats, dogs, and frogs."],
        {
            "red, green": 1 / 2,
            "red, green, blue, grey": 1 / 2,
            "snow": 0,
            "a, , b": 0,
            "a b c d, e, f": 1 / 2,
        },
    ),
    "starts with": ("Well", ["Well, yes.", '"well"'], {"Oh well.": 1 / 2, "No.": 0, "Wells run dry": 0}),
    "ends with": ("today", ["It snows today.", "TODAY!"], {"today it": 1 / 2, "It snowed yesterday": 0}),
    "uses a word": ("water", ["Snow is water.", "Water"], {"Snow is frozen.": 0, "waterfalls": 0}),
    "lower case": ("", ["snow is cold.", "3 cats"], {"Snow is cold": 1 / 2, "I saw Mary": 1 / 3}),
    "capitals": ("", ["SNOW IS COLD.", "A CAT"], {"SNOW is": 1 / 2, "Snow is": 0, "I": 0, "12": 0}),
    "a question": ("", ["Is it cold?", 'He asked, "why?"'], {"Why? Because.": 1 / 2, "It is.": 0, "?": 0}),
    "no letter e": ("e", ["Snow is cold.", "Oh!"], {"The snow": 1 / 2, "EEE": 1 / 2, "The sea": 1 / 3}),
    "one word": ("", ["Cold.", "it's"], {"very cold": 1 / 2}),
    "exclamation": ("", ["Snow!", "Snow is cold!!"], {"Wow! Snow.": 1 / 2, "Snow.": 0, "!": 0}),
}
WORDLESS = ["", " ", "\n\n", "...", "🍨⍁", "?!", "\x00", ",,,", "____"]


def test_every_kind_has_cases():
    assert set(CASES) == set(KINDS) and len(TRAINED) == 10 and len(NEW) == 2


@pytest.mark.parametrize("name", CASES)
def test_a_grade_is_one_exactly_when_the_constraint_is_met(name):
    value, good, others = CASES[name]
    constraint = Constraint(KINDS[name], value)
    assert {text: constraint.grade(text) for text in good} == dict.fromkeys(good, 1.0)
    assert {text: constraint.grade(text) for text in others} == pytest.approx(others)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("text", [*WORDLESS, "a " * 20_000, "\ud800", "İ" * 50, "ﬁn ß ǅ", "-1,2,3-"])
def test_every_text_has_a_grade(name, text):
    grade = Constraint(KINDS[name], CASES[name][0]).grade(text)
    assert 0 <= grade <= 1
    if text in WORDLESS:
        assert grade == 0


@pytest.mark.parametrize("name", CASES)
def test_a_prompt_says_which_constraint_it_has(name):
    kind, value = KINDS[name], CASES[name][0]
    prompt = f"Tell me about snow. {kind.request.format(value)}"
    assert constraint_of(prompt) == constraint_of(prompt + "\n") == Constraint(kind, value)


def test_a_prompt_without_a_constraint_is_refused():
    for prompt in ("Tell me about snow.", "", "Answer in one sentence. Tell me about snow."):
        with pytest.raises(ValueError, match="ends with no constraint"):
            constraint_of(prompt)
