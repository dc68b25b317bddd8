"""Windows and thresholds of the features, each with its unit and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

from nt_memory._shown import shown


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """How features are computed.

    The windows are rounded calendars of daily bars (a month has 21 of them, a
    quarter 63, a year 252); none was fitted to data.

    Parameters
    ----------
    score_window
        Bars before a value against which it is scored; a year.
    score_limit
        Scores lie within this many standard deviations.  Ten is beyond what
        a year of bars can show by chance, and keeps one wild bar a number.
    liquidity_window
        Bars of Amihud's mean and of the regression of Kyle's lambda; a month,
        as in Amihud (2002), Illiquidity and stock returns.
    profile_window
        Bars of the volume profile; a quarter.
    profile_rows
        Price rows between the lowest low and the highest high; 24, a usual
        default of charts.
    value_area
        Share of the volume in the value area; 0.7, about one standard
        deviation of a normal distribution (Steidlmayer 1984, Market Profile).
    momentum_window, volatility_window
        Bars; a month.
    trend_window
        Bars of the regression of log price on time; a quarter.
    range_window
        Bars of a trading range; a quarter.
    range_drift
        A window is a trading range when its closes end no farther from where
        they began than this share of its height; half.
    recovery
        Bars within which a broken low (high) has to be won back, the bar
        that broke it among them; 3.
    break_depth
        How far beyond the range a break may go, in heights of the range,
        and still be a spring or an upthrust; a quarter.  (Wyckoff 1931 names
        no numbers; these four are round ones.)
    state_window
        Bars before a return whose terciles it is held against; a year.
    transition_window
        Last transitions between states that are counted; a year.
    transition_prior
        What each of the nine counts starts from, so that no chance is 0 or
        1; 1 (Laplace).
    chain_age
        How old the latest option chain may be at a close; 4 days bridge a
        long weekend.
    quote_age
        How long before its chain an option may have been quoted; an hour, beyond
        what exchanges delay.

    Raises
    ------
    ValueError
        A number is outside its range.

    Examples
    --------
    >>> FeatureSettings(momentum_window=10).momentum_window
    10
    """

    score_window: int = 252
    score_limit: float = 10.0
    liquidity_window: int = 21
    profile_window: int = 63
    profile_rows: int = 24
    value_area: float = 0.7
    momentum_window: int = 21
    volatility_window: int = 21
    trend_window: int = 63
    range_window: int = 63
    range_drift: float = 0.5
    recovery: int = 3
    break_depth: float = 0.25
    state_window: int = 252
    transition_window: int = 252
    transition_prior: float = 1.0
    chain_age: timedelta = timedelta(days=4)
    quote_age: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least, most = _RANGES.get(field.name, (2, 1_000_000))
            kind = type(field.default)
            fits = isinstance(value, (int, float) if kind is float else kind)
            if not fits or isinstance(value, bool) or not least <= value <= most:
                msg = f"{field.name}={shown(value)}: give {_NAMES[kind]} from {least} to {most}"
                raise ValueError(msg)


_NAMES = {int: "a whole number", float: "a number", timedelta: "a timedelta"}
_RANGES = {
    "score_limit": (1.0, 1e6),
    "profile_rows": (1, 1000),
    "value_area": (0.01, 1.0),
    "momentum_window": (1, 1_000_000),
    "range_drift": (0.0, 1.0),
    "recovery": (1, 1000),
    "break_depth": (0.0, 1e6),
    "transition_window": (1, 1_000_000),
    "transition_prior": (1e-9, 1e6),
    "chain_age": (timedelta(0), timedelta(days=366)),
    "quote_age": (timedelta(0), timedelta(days=366)),
}
