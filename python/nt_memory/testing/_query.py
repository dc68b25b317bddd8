"""What may be asked, and which versions are candidates for an answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nt_memory.testing._filter import below, check, holds
from nt_memory.testing._ranking import check_key

if TYPE_CHECKING:
    from nt_memory.store import Query
    from nt_memory.testing._version import Version

MAX_DIVERSE = 100


def one_bound(time: int | None, commit: int | None) -> None:
    """Raise ValueError where both bounds are given."""
    if time is not None and commit is not None:
        msg = "recorded_by is a time or a commit number, not both"
        raise ValueError(msg)


def check_query(query: Query) -> None:
    """Raise ValueError for an argument out of its range."""
    one_bound(query.recorded_by_time, query.recorded_by_commit)
    if any(not math.isfinite(weight) or weight < 0.0 for weight in query.weights):
        msg = f"weights are {query.weights}; use finite numbers >= 0"
        raise ValueError(msg)
    if query.top_k < 1:
        msg = f"top_k is {query.top_k}; use 1 to 10,000"
        raise ValueError(msg)
    if query.half_life is not None and not 0.0 < query.half_life < math.inf:
        msg = f"half_life is {query.half_life}; leave it out for no decay"
        raise ValueError(msg)
    if not 0.0 <= query.diversity <= 1.0:
        msg = f"diversity is {query.diversity}; use 0 to 1"
        raise ValueError(msg)
    if query.diversity > 0.0 and query.top_k > MAX_DIVERSE:
        msg = f"top_k is {query.top_k} with diversity; use at most {MAX_DIVERSE}"
        raise ValueError(msg)
    if query.order_by is not None:
        if query.vector is not None:
            msg = "order_by orders a recall without a query; leave out one of the two"
            raise ValueError(msg)
        check_key(query.order_by)
    if query.after is not None and (query.order_by is None or query.diversity > 0.0):
        msg = "after goes on behind a match in an order; give order_by, and no diversity"
        raise ValueError(msg)
    if query.filter is not None:
        check(query.filter)


def admits(query: Query, version: Version) -> bool:
    """Whether a visible version is a candidate."""
    record = version.record
    return (
        (query.namespace is None or below(record.namespace, query.namespace))
        and (query.filter is None or holds(query.filter, version))
        and (query.min_trust is None or record.trust >= query.min_trust)
        and (query.vector is None or query.space in version.codes)
    )
