"""How a change is told to whoever listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nt_memory._values import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.coordination._memory import Memory


def announce(memory: Memory, topic: str, content: Mapping[str, Any]) -> None:
    """Publish a change that is stored already, packed as MessagePack.

    A store that carries no messages has nobody who listens.
    """
    if hasattr(memory.store, "publish"):
        memory.publish(topic, pack(dict(content)))
