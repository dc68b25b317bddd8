"""The memories of the arms of a backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory.config import MemoryConfig, VectorSpace
from nt_memory.policy import StateEncoder
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from nt_memory.backtest.strategy import Stage

STORE = "store"
_SPACES = {
    "state": VectorSpace(StateEncoder.dim, encoder=StateEncoder.id),
    "text": VectorSpace(),
}


def open_empty(stage: Stage, *, keeps: bool = True) -> MemorySystem:
    """Open an empty memory on the stage's clock, in its folder where it is to be kept."""
    clock, seed = stage.clock, stage.settings.seed
    if keeps and stage.folder is not None:
        path = stage.folder / STORE
        # A run that does not end leaves nothing that counts: closing it is soon enough.
        config = MemoryConfig(
            storage_path=path, spaces=_SPACES, durability="none", clock=clock, seed=seed
        )
    else:
        config = MemoryConfig(cold_engine="memory", spaces=_SPACES, clock=clock, seed=seed)
    return MemorySystem(config)
