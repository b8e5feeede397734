"""A league of seconds: a tiny model, eight prompts, the shorter response wins."""

from pathlib import Path

from llm_backend.league.settings import LeagueConfiguration

MEMBERS = [
    {"name": "plain"},
    {"name": "bold", "solver": {"name": "INPO", "tau": 0.02, "eta": 4.0}},
    {"name": "hunter", "exploits": "plain", "patience": 1},
    {"name": "base", "policy": "base"},
]


def values(out, members=MEMBERS, rounds=2, **sections):
    """The tables of a league's file; `sections` update those of their names."""
    tables = {
        "model": {"name": "tiny", "lora": 4},
        "data": {"source": "tiny", "per_round": 2},
        "judge": {"kind": "Rule", "score": "shorter"},
        "solver": {"name": "INPO", "tau": 0.1, "eta": 2.0},
        "arena": {"samples": 2, "max_new_tokens": 4},
        "fit": {"epochs": 1},
        "league": {"match": {"name": "Hard", "self_play": 0.2}, "snapshot": 1, "members": members},
        "evaluate": {"prompts": 2},
        "run": {"rounds": rounds, "out": str(out)},
        "log": {"tensorboard": False},
    }
    for name, table in sections.items():
        tables[name] = {**tables.get(name, {}), **table}
    return tables


def league(out, members=MEMBERS, rounds=2, **sections) -> LeagueConfiguration:
    """The configuration of such a league."""
    return LeagueConfiguration.parse(values(out, members, rounds, **sections))


def written(folder: Path) -> dict[str, bytes]:
    """The files of a league that do not hold times, by name."""
    kept = [*folder.glob("rounds/*/**/*"), *folder.glob("meetings/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(kept) if path.is_file()}
