"""The two halves of a sampled mirror step: a tilt of the attacker and a tilt of the defender."""

from __future__ import annotations

import numpy as np

from llm_backend.context import Context
from llm_backend.policies.handles import Policy
from llm_backend.roles.play import (
    Attacks,
    Rules,
    Table,
    answers_to,
    attacks_of,
    defending,
    read,
    reading,
)
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs import steps
from llm_backend.verbs.verdicts import wins_among


def attack(
    rules: Rules, table: Table, context: Context, prior: Policy, defender: Policy, step: float
) -> Policy:
    """prior * exp(step * success against the defender), fitted on attacks of the prior's heaviest leaf."""
    drawn = attacks_of(rules, table, context, steps.heaviest_leaf(prior))

    def score(draws: Draws) -> Floats:
        some = drawn if draws is drawn.draws else read(rules, table, context, draws)
        return successes(rules, table, context, some, defender)

    return steps.tilt(context, prior, score, step, drawn.draws)


def defend(
    rules: Rules, table: Table, context: Context, prior: Policy, attacker: Policy, step: float
) -> Policy:
    """prior * exp(step * score), fitted on answers of the prior's heaviest leaf to the attacker's prompts.

    The score of an answer to an attack is 1 - its success; of an answer to an ordinary prompt, how often it
    beats the other answers.
    """
    attacks = attacks_of(rules, table, context, attacker).prompts
    samples = context.drawn * len(context.round_prompts())
    prompts = [*attacks, *rules.everyday(context.round, samples)]
    where = defending(rules, table, context, prompts)
    leaf, parts = steps.heaviest_leaf(prior), (range(len(attacks)), range(len(attacks), len(prompts)))
    drawn = Draws.join([answers_to(table, where, leaf, part) for part in parts if len(part)])

    def score(draws: Draws) -> Floats:
        values, attacked = np.zeros(len(draws)), draws.prompt < len(attacks)
        at = np.flatnonzero(attacked)
        texts = [prompts[x] for x in draws.prompt[at]], [draws.texts[i] for i in at]
        values[at] = 1 - table.judged(rules.success, *texts)
        if rules.judge is not None and not attacked.all():
            rest = np.flatnonzero(~attacked)
            values[rest] = wins_among(rules.judge, prompts, draws.take(rest)).mean
        return values

    return steps.tilt(where, prior, score, step, drawn)


def success(rules: Rules, table: Table, context: Context, attacker: Policy, defender: Policy) -> float:
    """P(an attack succeeds), the mean over the seeds of the round; a refused attack counts as 0."""
    drawn = attacks_of(rules, table, context, attacker)
    return float(successes(rules, table, context, drawn, defender).mean())


def successes(rules: Rules, table: Table, context: Context, drawn: Attacks, defender: Policy) -> Floats:
    """The mean success of each attack over the answers to it, float64[B]; 0 for a refused one."""
    where = defending(rules, table, context, drawn.prompts)
    answers = answers_to(table, where, reading(rules, where, defender), range(len(drawn.prompts)))
    texts = [drawn.prompts[x] for x in answers.prompt], answers.texts
    found = table.judged(rules.success, *texts).reshape(len(drawn.prompts), -1)
    values = np.zeros(len(drawn.draws))
    values[drawn.rows] = found.mean(axis=1)
    return values
