"""Export of a run: the policy of its last round as a model folder or an adapter folder."""

from __future__ import annotations

import os
from pathlib import Path

from llm_backend import store
from llm_backend.data import Reading
from llm_backend.export import Card, merge, write_peft
from llm_backend.policies.handles import Mixture
from llm_backend.runs import checkpoint
from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.folder import say
from llm_backend.runs.logs import Row, rows
from llm_backend.runs.named import build_solver
from llm_backend.runs.prompts import load_model
from pgames.arena import Pair, Role
from pgames.files import parse_json
from pgames.solver import one_target

OF_THE_RUN = {  # numbers of a row of the log that say how the round was played, not what the policy is
    "round",
    "processes",
    "seconds",
    "tokens_per_second",
    "tokens",
    "tokens_trained",
    "judged",
    "evaluation",
    "drawn_length",
    "drawn_truncated",
}


def export_run(
    run: str | os.PathLike[str], to: str | os.PathLike[str], adapter: bool = False, role: Role = "defender"
) -> Path:
    """Write the policy of a run's last round to the folder `to`, merged or as an adapter; returns the folder.

    role : which of two roles is written, in a run with [roles].

    Raises ConfigError when the folder holds no run or no complete round, ValueError when the policy is no
    single set of weights or `to` is not empty, and OSError naming the file when it cannot be written.
    """
    folder = Path(run)
    config = _configuration(folder)
    found = next(checkpoint.intact(folder / "rounds", say), None)
    if found is None:
        raise ConfigError(f"{folder} holds no complete round: play the run first.")
    lm = load_model(config.model, Reading())  # no prompt is read
    asked = parse_json((found.folder / "state.json").read_text(encoding="utf-8")).get("asked", "")
    policy = store.load(lm, found.folder, asked).policy
    if role == "attacker" and not isinstance(policy, Pair):
        raise ConfigError(f"--attacker: {folder} is a run of one policy; leave it out.")
    if isinstance(policy, Pair):
        policy = policy.attacker if role == "attacker" else policy.defender
        if isinstance(policy, Mixture):
            raise ConfigError(
                f"the {role} of {folder} is a mixture of {len(policy.terms)} policies, and no single set of "
                f"weights: its members are the safetensors files of {found.folder}."
            )
    (write_peft if adapter else merge)(lm, policy, to, _card(config, folder, found.t))
    return Path(to)


def _configuration(folder: Path) -> Configuration:
    path = folder / "config.json"
    try:
        return Configuration.parse(parse_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{folder} holds no config.json: pass the folder of a run.") from None
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged ({error}): pass the folder of another run.") from None


def _card(config: Configuration, folder: Path, t: int) -> Card:
    solver = build_solver(config.solver)
    row: Row = next((row for row in rows(folder / "log.jsonl") if row["round"] == t), {})
    try:
        tau = one_target(solver)
    except (TypeError, ValueError, AttributeError):  # a solver of one's own that names no target
        tau = None
    return Card(
        base=str(config.model.get("name", "")),
        solver=repr(solver),
        judge=", ".join(f"{key} = {value}" for key, value in config.judge.items())
        or f"learned from {config.data.get('pairs')}",
        tau=tau,
        rounds=t,
        certificate={name: value for name, value in row.items() if name not in OF_THE_RUN},
    )
