"""What option chains say of those who have to hedge them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory.agents._black_scholes import black_scholes_delta, black_scholes_gamma
from nt_memory.agents._cboe import load_cboe_chain
from nt_memory.agents._chain import OptionChain, OptionQuote
from nt_memory.clock import micros, to_micros

if TYPE_CHECKING:
    from nt_memory.clock import Duration
    from nt_memory.market import Floats

__all__ = [
    "ChainSignal",
    "OptionChain",
    "OptionQuote",
    "black_scholes_delta",
    "black_scholes_gamma",
    "load_cboe_chain",
    "net_gamma_exposure",
    "smart_flow_signal",
]

QUOTE_AGE = timedelta(hours=1)
_YEAR = 365 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class ChainSignal:
    """Calls less puts over calls and puts, and what that rests on.

    Parameters
    ----------
    value
        -1 where all weight is on puts, 1 where all is on calls; 0 without any weight.
    weight
        That of calls and puts together; 0 says that ``value`` rests on nothing.
    used
        Options that were counted, those of no weight among them.
    expired, stale, without_greeks
        Options that were left out: past their expiry, quoted too long before the
        chain, or with neither an implied volatility nor the greek; the first
        reason counts.
    """

    value: float
    weight: float
    used: int
    expired: int
    stale: int
    without_greeks: int


def net_gamma_exposure(chain: OptionChain, *, quote_age: Duration = QUOTE_AGE) -> ChainSignal:
    """Weigh the gamma of open calls against that of open puts.

    Sum of gamma times open interest of the calls less that of the puts, over the
    sum of both: net over gross exposure, where dealers are taken to be long the
    calls and short the puts that customers hold.  Gamma is that of Black, Scholes
    and Merton from the implied volatility; without one, the exchange's own.

    Parameters
    ----------
    chain
        The options.
    quote_age
        An option that was quoted longer before the chain is left out.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> monday = datetime(2024, 1, 8, 21, tzinfo=timezone.utc)
    >>> friday = datetime(2024, 1, 19, 21, tzinfo=timezone.utc)
    >>> quotes = [
    ...     OptionQuote(friday, 475.0, call=True, open_interest=100.0, iv=0.12),
    ...     OptionQuote(friday, 475.0, call=False, open_interest=300.0, iv=0.12),
    ... ]
    >>> net_gamma_exposure(OptionChain.of("SPY", monday, 475.0, quotes)).value
    -0.5
    """
    gamma = black_scholes_gamma(
        chain.spot, chain.strike, _years(chain), chain.iv, chain.rate, chain.dividend_yield
    )
    gamma = np.where(np.isnan(gamma), chain.gamma, gamma)
    return _signal(chain, gamma, chain.open_interest, quote_age)


def smart_flow_signal(chain: OptionChain, *, quote_age: Duration = QUOTE_AGE) -> ChainSignal:
    """Weigh the delta volume of calls against that of puts.

    Sum of |delta| times volume of the calls less that of the puts, over the sum
    of both; delta as gamma in `net_gamma_exposure`, as are the parameters.
    """
    delta = black_scholes_delta(
        chain.call,
        chain.spot,
        chain.strike,
        _years(chain),
        chain.iv,
        chain.rate,
        chain.dividend_yield,
    )
    delta = np.where(np.isnan(delta), chain.delta, delta)
    return _signal(chain, np.abs(delta), chain.volume, quote_age)


def _years(chain: OptionChain) -> Floats:
    years: Floats = (chain.expiry - to_micros(chain.at)) / _YEAR
    return years


def _signal(chain: OptionChain, greek: Floats, count: Floats, quote_age: Duration) -> ChainSignal:
    at = to_micros(chain.at)
    expired = chain.expiry <= at
    stale = ~expired & (at - chain.quoted_at > micros(quote_age, "quote_age"))
    missing = ~expired & ~stale & np.isnan(greek)
    used = ~(expired | stale | missing)
    with np.errstate(over="ignore"):
        weight = np.where(used, greek, 0.0) * count
        calls, puts = float(weight[chain.call].sum()), float(weight[~chain.call].sum())
    gross = calls + puts
    if not np.isfinite(gross):
        msg = f"chain: the greeks and contracts of {shown(chain.symbol)} add up to no number"
        raise ValueError(msg)
    return ChainSignal(
        value=(calls - puts) / gross if gross > 0.0 else 0.0,
        weight=gross,
        used=int(used.sum()),
        expired=int(expired.sum()),
        stale=int(stale.sum()),
        without_greeks=int(missing.sum()),
    )
