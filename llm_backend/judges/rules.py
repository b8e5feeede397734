"""Scores for `Rule`, (prompt, response) -> number: arithmetic, known answers, format, length."""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from fractions import Fraction

LONGEST = 4000  # most digits of a number in a response; a longer one is not a right answer
SECONDS = 1.0  # most time that a pattern may take with one response
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+/0*[1-9]\d*|(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)")
EXPRESSION = re.compile(r"[-(\d][\d\s.+*/()-]*[\d)]")
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def arithmetic(prompt: str, response: str) -> float:
    """1 if the last number of the response is the value of the expression in the prompt, else 0.

    The expression is the longest one made of numbers, + - * / and brackets; values are compared as fractions.
    Raises ValueError when the prompt has none, ZeroDivisionError when it divides by zero.
    """
    return float(_last_number(response) == _value(prompt))


def equals(answers: Mapping[str, str]) -> Callable[[str, str], float]:
    """1 if the last number of the response is the one in `answers[prompt]`, else 0."""

    def score(prompt: str, response: str) -> float:
        wanted = _last_number(answers[prompt])
        if wanted is None:
            raise ValueError(f"answers[{prompt!r}] = {answers[prompt]!r} holds no number")
        return float(_last_number(response) == wanted)

    return score


def matches(pattern: str) -> Callable[[str, str], float]:
    """1 if the regular expression matches the whole response (a dot matches newlines too), else 0.

    A response with which the pattern takes more than a second does not match, and a warning tells so once.
    Raises ValueError when the pattern is not a regular expression.
    """
    import regex  # as `re`, with a limit on time

    try:
        re.compile(pattern)
        compiled = regex.compile(pattern, regex.DOTALL)
    except (re.error, regex.error, OverflowError, RecursionError, MemoryError) as error:
        shown = pattern if len(pattern) < 200 else pattern[:200] + "..."
        raise ValueError(f"matches: {shown!r} is not a regular expression ({error}).") from None
    slow: list[str] = []

    def score(prompt: str, response: str) -> float:
        try:
            return float(compiled.fullmatch(response, timeout=SECONDS, concurrent=True) is not None)
        except (TimeoutError, MemoryError, RecursionError):
            if not slow:
                slow.append(response)
                warnings.warn(
                    f"matches: {pattern[:80]!r} takes more than {SECONDS:g} s with a response of "
                    f"{len(response)} characters, which then counts as no match: write a "
                    "pattern without nested repeats.",
                    stacklevel=2,
                )
            return 0.0

    score.__qualname__ = f"matches({pattern!r})"  # identifies the rule for a cache
    return score


def longer(prompt: str, response: str) -> float:
    """The number of characters."""
    return float(len(response))


def shorter(prompt: str, response: str) -> float:
    """Minus the number of characters."""
    return -float(len(response))


def _last_number(text: str) -> Fraction | None:
    """The last number of a response; None without one, and for one that nobody could mean."""
    found = NUMBER.findall(text)
    if not found or len(found[-1]) > LONGEST:
        return None
    try:
        return Fraction(found[-1].replace(",", ""))
    except (ValueError, ZeroDivisionError):  # digits of other scripts
        return None


def _value(prompt: str) -> Fraction:
    found = [text for text in EXPRESSION.findall(prompt) if re.search(r"\d\s*[-+*/)]", text)]
    if not found:
        raise ValueError(f"no arithmetic expression in the prompt {prompt!r}")
    return _evaluated(ast.parse(max(found, key=len).strip(), mode="eval").body)


def _evaluated(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _evaluated(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return Fraction(OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right)))
    raise ValueError(f"cannot evaluate {ast.unparse(node)!r}: only + - * / and brackets")
