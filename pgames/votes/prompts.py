"""What very many prompts cost."""

from __future__ import annotations

MANY_PROMPTS = 1000  # from here on the command line says what they cost


def prompts_cost(prompts: int, items: int) -> str:
    """A line on the memory that tables by prompt take."""
    return (
        f"{prompts:,} prompts: a table of {items} x {items} numbers for each takes "
        f"{8 * prompts * items**2 / 2**20:,.0f} MiB, and an analysis several of them. Pass prompt=False "
        "(--no-prompt) to read the votes without prompts."
    )
