"""The policies of a language model whose handles are alive."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator

from llm_backend.policies.handles import Adapter, Base, Leaf


class LivePolicies:
    """The slot of every policy whose handle is alive; the slots of the others are to be deleted."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self._slot_of: weakref.WeakKeyDictionary[Adapter, str] = weakref.WeakKeyDictionary()
        self._unheld: list[str] = []

    def new_slot(self) -> str:
        """The name of a slot that no policy has had."""
        return f"p{next(self._numbers)}"

    def add(self, adapter: Adapter, slot: str) -> None:
        """Record that `adapter` is the handle of the policy in `slot`."""
        self._slot_of[adapter] = slot
        weakref.finalize(adapter, self._unheld.append, slot)

    def holds(self, slot: str) -> bool:
        """Whether the handle of the policy in `slot` is alive."""
        return slot in self._slot_of.values()

    def slot(self, leaf: Leaf) -> str | None:
        """The slot of a leaf, None for the base.

        Raises ValueError for an adapter of another LanguageModel.
        """
        return None if isinstance(leaf, Base) else self.adapter_slot(leaf)

    def adapter_slot(self, adapter: Adapter) -> str:
        """The slot of an adapter. Raises ValueError for an adapter of another LanguageModel."""
        if adapter not in self._slot_of:
            raise ValueError(f"policy {adapter.id} belongs to another LanguageModel: load it into this one.")
        return self._slot_of[adapter]

    def unheld(self) -> Iterator[str]:
        """The slots whose handles have been collected since the last call."""
        while self._unheld:
            yield self._unheld.pop()
