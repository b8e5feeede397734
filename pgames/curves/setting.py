"""What a bound must know of the arena of a run."""

from __future__ import annotations

from typing import Any, NamedTuple


class Setting(NamedTuple):
    """The arena of a run, as far as published bounds depend on it.

    arena : the name of its class.
    regulariser : the name of its regulariser; "KL" for an arena that names none.
    samples : duels behind a win rate; None for exact win rates.
    anchored : whether the policy to which the run is regularised is not the reference of the game.
    """

    arena: str
    regulariser: str = "KL"
    samples: int | None = None
    anchored: bool = False


def written(setting: Setting | None) -> dict[str, Any] | None:
    """The setting as a JSON object, or null."""
    return None if setting is None else setting._asdict()


def read(value: object) -> Setting | None:
    """The setting of a JSON value. Raises ValueError when it is neither null nor a setting."""
    if value is None:
        return None
    kinds = {"arena": str, "regulariser": str, "samples": (int, type(None)), "anchored": bool}
    if not isinstance(value, dict) or set(value) != set(kinds):
        raise ValueError(f"setting must be an object with {', '.join(kinds)}, or null, got {value!r:.60}")
    for name, kind in kinds.items():
        if not isinstance(value[name], kind) or (name == "samples" and isinstance(value[name], bool)):
            raise ValueError(f"{name} of the setting is {value[name]!r:.60}")
    return Setting(**value)
