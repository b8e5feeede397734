"""A cycle among replies of a language model, decided by three rules: training ends at the exact Nash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

import pgames as pg
from llm_backend import Fit, LanguageModel, TextArena, judges
from llm_backend.policies.handles import BASE
from llm_backend.tiny import tiny_language_model
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAU, ETA, REPLIES = 0.1, 4.0, 12
PROMPTS = ["Tell me about coffee in one sentence.", "Why do people like gardens?"]
GOOD = set(
    "good great love loved best enjoy enjoyed beautiful popular rich delicious happy peace favorite".split()
)
BAD = set("bad hard difficult bitter poor sad worst never not problem".split())
ROUNDS = {"toy": 2, "quick": 12, "full": 6}


def _drawn(text: str) -> str:
    """The text without characters that the font of the figure may lack, such as emojis."""
    return re.sub(r"[^\x20-\x7e]+", "", text).strip()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def brevity(prompt: str, text: str) -> float:
    """Fewer words are better."""
    return -len(words(text))


def sentiment(prompt: str, text: str) -> float:
    """Kind words, less unkind ones; for a model without words, the letter a less the letter e."""
    found = words(text)
    kind = sum(word in GOOD for word in found) - sum(word in BAD for word in found)
    return kind + 0.1 * (text.count("a") - text.count("e"))


def relevance(prompt: str, text: str) -> float:
    """The share of the words of a reply that its prompt has, too, then the number of different words."""
    asked, found = set(words(prompt)), words(text)
    return sum(word in asked for word in found) + 0.01 * len(set(found))


def replies_of(lm: LanguageModel, size: Size) -> list[list[str]]:
    """Twelve different replies of the reference to each prompt, long and short ones."""
    arena = TextArena(
        lm, PROMPTS, judges.Rule(brevity), 64, max_new_tokens=4 if size != "full" else 20, temperature=1.0
    )
    texts: list[list[str]] = [[], []]
    drawn = arena.sample(BASE, n=64).draws
    for prompt, text, cut in zip(drawn.prompt, drawn.texts, drawn.truncated, strict=True):
        whole = text.rpartition(".")[0] + "." if cut and "." in text else text.strip()
        short = " ".join(whole.split()[: 3 + len(texts[prompt])]) if size == "full" else whole
        if short and short not in texts[prompt] and len(texts[prompt]) < REPLIES:
            texts[prompt].append(short)
    return texts


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    torch.set_num_threads(1)
    if size == "full":
        lm = LanguageModel.from_pretrained("smollm2", lora=16)
    else:
        lm = tiny_language_model(lora=8, texts=["coffee garden a e i o good bad love people like tell me"])
    rules = [judges.Rule(brevity), judges.Rule(sentiment), judges.Rule(relevance)]
    judge, texts = judges.Majority(rules, hard=True), replies_of(lm, size)
    how = Fit(epochs=1) if size == "full" else Fit()
    arena = TextArena(lm, PROMPTS, judge, None, responses=texts, fit=how, length_normalised=True)
    game = arena.to_game()
    nash = pg.nash(game, TAU).policy
    far = lambda p: float(0.5 * np.abs(p - nash).sum(axis=1).max())  # noqa: E731
    policies = [arena.probs(BASE)]
    for state in pg.iterate(pg.EGPO(TAU, ETA), arena, ROUNDS[size]):
        policies.append(arena.probs(state.policy))
        print(f"round {state.t}: TV {far(policies[-1]):.4f}", flush=True)
    raw = TextArena(lm, PROMPTS, judge, None, responses=texts).probs(BASE)
    return _figure(policies, nash, texts, [far(p) for p in policies]), [
        Check("TV of the trained model to the exact Nash, worst prompt", far(policies[-1]), 0.05, "at most"),
        Check("TV of the reference", far(policies[0]), None),
        Check("support of the Nash: probabilities above .02, both prompts", float((nash > 0.02).sum()), None),
        Check("exploitability of the reference", float(pg.exploitability(game, policies[0], TAU)), None),
        Check("exploitability of the trained model", float(pg.exploitability(game, policies[-1], TAU)), 0.0),
        Check("largest probability under the reference, sums of tokens", float(raw.max()), None),
        Check("largest probability under the reference, means of tokens", float(policies[0].max()), None),
    ]


def _figure(policies: list[np.ndarray], nash: np.ndarray, texts: list[list[str]], far: list[float]) -> Figure:
    figure = new_figure(10.0, 4.4)
    left, right = figure.subplots(1, 2, width_ratios=[1, 2])
    left.plot(far, color=COLOURS[0], marker="o", ms=3, label="the model")
    left.set(yscale="log", xlabel="rounds of EGPO", ylabel="total variation to the exact Nash")
    place = np.arange(nash.shape[1])
    for i, (label, values) in enumerate({"reference": policies[0], "trained": policies[-1]}.items()):
        right.bar(place - 0.2 + 0.4 * i, values[0], 0.4, color=COLOURS[i], label=label)
    right.plot(place, nash[0], ls="", marker="_", ms=14, mew=2, color=INK, label="exact Nash")
    right.set_xticks(place, [_drawn(text)[:22] for text in texts[0]], rotation=40, ha="right", fontsize=6)
    right.set(ylabel="probability", title=PROMPTS[0])
    left.legend()
    right.legend()
    return figure


if __name__ == "__main__":
    main("fig11_replies", draw)
