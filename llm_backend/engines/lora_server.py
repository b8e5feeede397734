"""A vLLM server and the LoRA adapters loaded into it."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from llm_backend.export.adapters import write_files
from llm_backend.http import Body, Client, RequestError, Transient
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Adapter, Base, Leaf


class EngineError(RuntimeError):
    """The server cannot be reached, refuses, or sends an answer that cannot be used."""


class UnknownModel(EngineError):
    """The server has no model of that name."""


class LoraServer:
    """Completions of a base model and of adapters. An adapter is loaded when it is first used.

    `base` is the name of the base on the server, and `folder` is where adapters are written for the server to
    read. An adapter is removed from both after its last handle is collected.
    """

    def __init__(self, client: Client, base: str, folder: Path | None):
        self.client, self.base, self.folder = client, base, folder
        self._loaded: dict[str, weakref.ref[Adapter]] = {}

    def complete(self, lm: LanguageModel, leaf: Leaf, bodies: Sequence[Body]) -> list[Any]:
        """The completions of a leaf, as the server sends them, one per body.

        An adapter that the server has lost, for example in a restart, is loaded again. Raises EngineError
        when the server cannot be reached or refuses, ValueError when the leaf is not a LoRA adapter or there
        is not a folder.
        """
        try:
            return self._completions(self._name(lm, leaf), bodies)
        except UnknownModel:
            self._loaded.pop(leaf.id, None)
            return self._completions(self._name(lm, leaf), bodies)

    def _completions(self, name: str, bodies: Sequence[Body]) -> list[Any]:
        path = "/completions"
        batch = self.client.answers(path, bodies, lambda body: {**body, "model": name}, _content)
        if batch.failure is not None:
            raise self._error(path, batch.failure[1])
        return [batch.answers[i] for i in range(len(bodies))]

    def _name(self, lm: LanguageModel, leaf: Leaf) -> str:
        """Load the leaf on the server if necessary; returns its name there."""
        if isinstance(leaf, Base):
            return self.base
        if lm.lora is None:
            raise ValueError(
                "a vLLM server takes policies as LoRA adapters: train with lora=, not all weights."
            )
        if self.folder is None:
            raise ValueError("VLLM: folder is needed to send adapters: pass a folder both sides can see.")
        for name in [name for name, handle in self._loaded.items() if handle() is None]:
            self._unload(name)
        if leaf.id not in self._loaded:
            self._load(lm, leaf, str((self.folder / leaf.id).resolve()))
        self._loaded[leaf.id] = weakref.ref(leaf)
        return leaf.id

    def _load(self, lm: LanguageModel, leaf: Adapter, path: str) -> None:
        write_files(lm, leaf, Path(path))
        loaded = self._models()
        if loaded.get(leaf.id) == path:  # loaded by an earlier run
            return
        if leaf.id in loaded:
            self._unload(leaf.id)
        try:
            self._send("/load_lora_adapter", {"lora_name": leaf.id, "lora_path": path})
        except EngineError:
            if self._models().get(leaf.id) != path:  # otherwise another process has just loaded it
                raise

    def _models(self) -> dict[str, str | None]:
        """The folder of every model on the server, by name."""
        reply = self._send("/models")
        try:
            return {card["id"]: card.get("root") for card in reply["data"]}
        except (KeyError, TypeError, AttributeError):
            raise EngineError(f"{self.client.url}/models lists no models: is a vLLM server there?") from None

    def _unload(self, name: str) -> None:
        try:
            self._send("/unload_lora_adapter", {"lora_name": name})
        except UnknownModel:
            pass
        if self._loaded.pop(name, None) is not None:
            shutil.rmtree(cast(Path, self.folder) / name, ignore_errors=True)

    def _send(self, path: str, body: Body | None = None) -> Any:
        try:
            return self.client.answer(path, body, _content)
        except RequestError as error:
            raise self._error(path, error) from None

    def _error(self, path: str, error: BaseException) -> BaseException:
        if not isinstance(error, RequestError):
            return error
        kind = UnknownModel if error.status == 404 else EngineError
        return kind(
            f"the vLLM server at {self.client.url}{path} failed after {error.attempts} attempts: {error}. "
            "Is it up, and started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True? "
            "llm_backend.engines.local.generate needs no server."
        )


def _content(data: bytes) -> Any:
    """The JSON object of an answer, or its text if it is not an object."""
    try:
        text = data.decode()
        return json.loads(text) if text.startswith("{") else text
    except (ValueError, RecursionError) as error:
        raise Transient(f"invalid JSON ({error})") from None
