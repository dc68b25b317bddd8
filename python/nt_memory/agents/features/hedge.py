"""The signals of option chains, at the bars that could know them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory.agents.features._trailing import log_returns, trailing_scores
from nt_memory.agents.options import net_gamma_exposure, smart_flow_signal
from nt_memory.clock import micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.agents.features.settings import FeatureSettings
    from nt_memory.agents.options import OptionChain
    from nt_memory.market import BarSeries, Floats


def hedge_columns(
    bars: BarSeries, chains: Sequence[OptionChain], settings: FeatureSettings
) -> dict[str, Floats]:
    """Compute the signals of the latest chain at each close, NaN where it is too old.

    Raises
    ------
    ValueError
        A chain is of another symbol, or two are of one time.
    """
    chains = sorted(chains, key=lambda chain: chain.at)
    for chain in chains:
        if chain.symbol != bars.symbol:
            msg = (
                f"chains: symbol={shown(chain.symbol)}, the bars are of {shown(bars.symbol)}; "
                "give chains of the same symbol"
            )
            raise ValueError(msg)
    for earlier, later in pairwise(chains):
        if earlier.at == later.at:
            msg = f"chains: two are of {earlier.at}; give one a time"
            raise ValueError(msg)
    age = settings.quote_age
    # Without a chain there is nothing to tell: one that never was, of NaN.
    at = np.array([0, *(to_micros(chain.at) for chain in chains)], dtype=np.int64)
    gamma = [net_gamma_exposure(chain, quote_age=age).value for chain in chains]
    flow = [smart_flow_signal(chain, quote_age=age).value for chain in chains]
    latest = np.searchsorted(at[1:], bars.times, side="right")
    fresh = (latest > 0) & (bars.times - at[latest] <= micros(settings.chain_age))
    return {
        "net_gamma_exposure": np.where(fresh, np.array([np.nan, *gamma])[latest], np.nan),
        "smart_flow_signal": np.where(fresh, np.array([np.nan, *flow])[latest], np.nan),
        "move": trailing_scores(
            log_returns(bars.close), settings.score_window, settings.score_limit
        ),
    }
