"""Questions that a judge asks a language model, as format strings."""

from __future__ import annotations


def check_question(owner: str, question: str) -> None:
    """Raises ValueError, in the name of `owner`, unless the question shows both responses and no other field.

    Its fields are {prompt}, {first} and {second}.
    """
    try:
        asked = question.format(prompt="", first="<first>", second="<second>")
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{owner}: question has a field other than {{prompt}}, {{first}} and {{second}} ({error}): write "
            "{{ and }} for plain braces."
        ) from None
    if "<first>" not in asked or "<second>" not in asked:
        raise ValueError(f"{owner}: question must show both responses: put {{first}} and {{second}} into it.")
