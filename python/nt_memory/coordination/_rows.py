"""Rows of the store: reading all keys, and writing on a condition until it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from nt_memory.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nt_memory.store import Store

T = TypeVar("T")

_PAGE = 1000


def every_key(
    store: Store, namespace: str, prefix: str = "", after: str | None = None
) -> Iterator[str]:
    """Go through the keys of a namespace in the order of their bytes."""
    cursor = after
    while True:
        keys, cursor = store.scan(namespace, prefix, _PAGE, cursor)
        yield from keys
        if cursor is None:
            return


def until_unchanged(attempt: Callable[[], T]) -> T:
    """Read, judge and write again where somebody else wrote in between.

    Each turn more means that another writer got through, so that all together
    always get on.
    """
    while True:
        try:
            return attempt()
        except ConflictError:  # noqa: PERF203 (a commit takes longer)
            continue
