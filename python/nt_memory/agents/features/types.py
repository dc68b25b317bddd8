"""What an agent is told about the market at the close of a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence


class HedgeFeatures(TypedDict):
    """How option dealers have to hedge; of the latest chain that was known at the close.

    Parameters
    ----------
    net_gamma_exposure
        Gamma of calls less that of puts over their sum, by open interest: -1 to 1.
    smart_flow_signal
        Delta volume of calls less that of puts over their sum: -1 to 1.
    move
        Log return of the bar, as a trailing score.
    """

    net_gamma_exposure: float
    smart_flow_signal: float
    move: float


class VolumeProfile(TypedDict):
    """At which prices the volume of the last bars was traded.

    Parameters
    ----------
    point_of_control
        Middle of the price row with the most volume.
    value_area_low, value_area_high
        Bounds of the rows around it that hold the value area's share of the volume.
    position
        Where the close lies in the value area: 0 at its low, 1 at its high,
        outside it below 0 or above 1; 0.5 where it has no width.
    """

    point_of_control: float
    value_area_low: float
    value_area_high: float
    position: float


class LiquidityFeatures(TypedDict):
    """How far trades move the price.

    Parameters
    ----------
    amihud
        Illiquidity of Amihud, as a trailing score.
    kyle_lambda
        Kyle's lambda, as a trailing score.
    volume_profile
        Where the volume lies.
    """

    amihud: float
    kyle_lambda: float
    volume_profile: VolumeProfile


class SentimentFeatures(TypedDict):
    """Where the price has been going, each as a trailing score.

    Parameters
    ----------
    momentum
        Log return of the window.
    volatility
        Sample standard deviation of log returns.
    trend_strength
        Share of the log price that a straight line explains, with the sign of its slope.
    """

    momentum: float
    volatility: float
    trend_strength: float


class WyckoffFeatures(TypedDict):
    """Who wins in the trading range.

    Parameters
    ----------
    ad_line
        Accumulation/distribution line, in units of volume, since the first bar.
    accumulation
        Its change over the window, per unit traded: -1 (distribution) to 1 (accumulation).
    range_low, range_high
        Least low and greatest high of the bars of the window before this one.
    spring
        At this close the price is back above a low of the range that it had broken.
    upthrust
        At this close the price is back below a high of the range that it had broken.
    """

    ad_line: float
    accumulation: float
    range_low: float
    range_high: float
    spring: bool
    upthrust: bool


class MarkovFeatures(TypedDict):
    """Which kind of bar tends to follow one like this.

    Parameters
    ----------
    state
        Tercile of the bar's return among the returns before it.
    probability_up, probability_down
        Chance that the next bar is in the upper or in the lower tercile.
    samples
        Bars of this state whose next bar is in the window: what the chances rest on.
    """

    state: Literal["down", "flat", "up"]
    probability_up: float
    probability_down: float
    samples: int


class AnalogueFeatures(TypedDict):
    """What the market looks like.

    Parameters
    ----------
    embedding
        The state of the last bars, 256 numbers; see `nt_memory.policy.StateEncoder`.
    """

    embedding: Sequence[float]


class AgentFeatures(TypedDict, total=False):
    """All groups; one whose values cannot all be told yet is absent."""

    hedge: HedgeFeatures
    liquidity: LiquidityFeatures
    sentiment: SentimentFeatures
    wyckoff: WyckoffFeatures
    markov: MarkovFeatures
    analogue: AnalogueFeatures
