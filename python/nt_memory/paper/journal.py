"""The rows that a paper trader writes beside its state: bars, equity, fills, refusals."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._remembering import raws_of
from nt_memory._values import pack, unpack
from nt_memory.errors import ConflictError
from nt_memory.market import BarSeries
from nt_memory.records import Record
from nt_memory.store import ExpectNew, Put, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.paper.broker import Fill, Order
    from nt_memory.paper.state import PaperState
    from nt_memory.store import Op, RawRecord
    from nt_memory.system import MemorySystem

FILL, REFUSAL = "fill", "refusal"
_NUMBERS = tuple(column.name for column in fields(BarSeries)[2:])
_PAGE = 10_000


def noted(namespace: str, bar: BarSeries, state: PaperState) -> list[Op]:
    """Return what keeps a bar, and what there was at its close."""
    at = int(bar.times[0])
    numbers = [float(getattr(bar, name)[0]) for name in _NUMBERS]
    return [
        Put(f"{namespace}/bars", f"{bar.symbol}/{at}", pack(numbers)),
        Put(f"{namespace}/equity", str(at), pack([state.equity, state.cash])),
    ]


def bars(memory: MemorySystem, namespace: str) -> list[BarSeries]:
    """Return all bars that were handled, a series a symbol."""
    found: dict[str, list[tuple[int, list[float]]]] = {}
    for key, row in _rows(memory, f"{namespace}/bars"):
        symbol, at = key.rsplit("/", 1)
        found.setdefault(symbol, []).append((int(at), unpack(row)))
    return [_series(symbol, sorted(rows)) for symbol, rows in found.items()]


def equity(memory: MemorySystem, namespace: str) -> list[tuple[int, float]]:
    """Return what there was at each close, in microseconds, oldest first."""
    rows = _rows(memory, f"{namespace}/equity")
    return sorted((int(at), float(unpack(row)[0])) for at, row in rows)


def same(left: BarSeries, right: BarSeries) -> bool:
    """Whether two bars of a symbol are of the same prices and volume."""
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in _NUMBERS)


def filled(namespace: str, name: str, fill: Fill) -> Record:
    """Return the record of a fill."""
    verb = "bought" if fill.quantity > 0.0 else "sold"
    return Record(
        id=f"{name}.{FILL}.{fill.number}",
        namespace=namespace,
        kind=FILL,
        event_time=fill.at,
        symbol=fill.symbol,
        text=f"{name} {verb} {abs(fill.quantity):g} {fill.symbol} at {fill.price:g}",
        attributes={"quantity": fill.quantity, "price": fill.price, "fee": fill.fee},
        payload={"order": fill.order, "number": fill.number},
    )


def tell_refused(memory: MemorySystem, namespace: str, name: str, order: Order, why: str) -> None:
    """Remember, once, that an order was not taken."""
    record = Record(
        id=f"{order.id}.{REFUSAL}",
        namespace=namespace,
        kind=REFUSAL,
        event_time=order.at,
        symbol=order.symbol,
        text=f"{name} was refused {order.quantity:+g} {order.symbol}: {why}",
        attributes={"quantity": order.quantity},
        payload={"order": order.id, "why": why},
    )
    with suppress(ConflictError):
        memory.store.commit([ExpectNew(record.id), *writes(memory, [record])])


def writes(memory: MemorySystem, records: list[Record]) -> list[Op]:
    """Return what writes records, within a batch."""
    return [Write(raw) for raw in raws_of(memory, records)]


def unpacked(raw: RawRecord) -> dict[str, Any]:
    """Return the payload of a record, a mapping."""
    return dict(Record.from_raw(raw).payload)


def _rows(memory: MemorySystem, namespace: str) -> Iterator[tuple[str, bytes]]:
    cursor: str | None = None
    while True:
        keys, cursor = memory.keys(namespace, limit=_PAGE, cursor=cursor)
        for key in keys:
            row = memory.get(namespace, key)
            if row is not None:
                yield key, row
        if cursor is None:
            return


def _series(symbol: str, rows: list[tuple[int, list[float]]]) -> BarSeries:
    columns = np.array([numbers for _, numbers in rows]).T
    times = np.array([at for at, _ in rows], dtype=np.int64)
    return BarSeries(symbol, times, **dict(zip(_NUMBERS, columns, strict=True)))
