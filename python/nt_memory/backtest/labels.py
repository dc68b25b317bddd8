"""Which regime a market was in at each of its steps, as was known then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory.regime import RegimeDetectionAgent

if TYPE_CHECKING:
    from nt_memory.backtest.market import Market


def regime_labels(market: Market) -> tuple[str | None, ...]:
    """Return the regime of the first symbol's last bar at each step; None before there is one.

    The rules of `RegimeDetectionAgent`, without a memory, tell each from the
    bars up to it.
    """
    symbol = market.symbols[0]
    told = RegimeDetectionAgent().predict(market[symbol]).labels
    labels = [None if label is None else label.value for label in told]
    return tuple(labels[bar] if bar >= 0 else None for bar in market.places(symbol).tolist())
