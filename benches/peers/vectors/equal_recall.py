"""Figures at one recall, read between the two measured points around it."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vectors.rows import Row

RECALL = 0.95
FIELDS = ("ef", "p50", "p95", "p99", "qps_1", "qps_2")


def at_recall(curve: list[Row], recall: float = RECALL) -> Row | None:
    """Return `FIELDS` where the curve reaches a recall, or nothing if it never does.

    Between two points every field is read on a logarithmic scale.  A curve that begins above
    the recall is read at its first point; `recall` then tells that it is higher.
    """
    points = sorted(curve, key=lambda row: row["ef"])
    if not points:
        return None
    if points[0]["recall"] >= recall:
        return {"unit": "ns", "recall": points[0]["recall"], **_fields(points[0])}
    for low, high in pairwise(points):
        if low["recall"] < recall <= high["recall"]:
            part = (recall - low["recall"]) / (high["recall"] - low["recall"])
            between = {field: _between(low[field], high[field], part) for field in FIELDS}
            return {"unit": "ns", "recall": recall, **between}
    return None


def _fields(row: Row) -> Row:
    return {field: row[field] for field in FIELDS}


def _between(low: float, high: float, part: float) -> float:
    return round(exp(log(low) + part * (log(high) - log(low))), 1)
