"""A memory that can publish, where it cannot do so by itself."""

import pytest

from nt_memory import AsyncMemorySystem, MemorySystem


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what is published, and tell nobody."""
    for kind in (MemorySystem, AsyncMemorySystem):
        if not hasattr(kind, "publish"):
            monkeypatch.setattr(kind, "publish", lambda *_args: 0, raising=False)
