"""All features of all bars, computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory.agents.features.hedge import hedge_columns
from nt_memory.agents.features.liquidity import liquidity_columns
from nt_memory.agents.features.markov import STATES, markov_columns
from nt_memory.agents.features.sentiment import sentiment_columns
from nt_memory.agents.features.settings import FeatureSettings
from nt_memory.agents.features.types import (
    AgentFeatures,
    AnalogueFeatures,
    HedgeFeatures,
    LiquidityFeatures,
    MarkovFeatures,
    SentimentFeatures,
    VolumeProfile,
    WyckoffFeatures,
)
from nt_memory.agents.features.wyckoff import wyckoff_columns
from nt_memory.agents.options import OptionChain
from nt_memory.market import BarSeries
from nt_memory.policy.encoder import StateEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from nt_memory.market import Floats
    from nt_memory.policy.encoder import Vector


class FeatureTable:
    """What the agents are told at the close of each bar.

    All columns are computed when the table is made, states when one is first asked for.
    The value at a bar reads that bar and earlier ones, and nothing else: bars that come
    later do not change a byte of it.

    Parameters
    ----------
    bars
        The market.
    chains
        Option chains of the symbol; a bar is told the latest one known at its close.
    settings
        Windows and thresholds.

    Raises
    ------
    ValueError
        A chain is of another symbol, or two are of one time.

    Examples
    --------
    >>> from nt_memory.backtest import load_sp500
    >>> table = FeatureTable(load_sp500())
    >>> told = table.at(2_449)  # 2008-09-29
    >>> round(told["sentiment"]["volatility"], 1), told["markov"]["state"]
    (5.4, 'down')
    >>> table.at(0)
    {}
    """

    def __init__(
        self,
        bars: BarSeries,
        chains: Sequence[OptionChain] = (),
        *,
        settings: FeatureSettings | None = None,
    ) -> None:
        self.settings = FeatureSettings() if settings is None else settings
        given = list(chains)
        for name, value, wanted in (
            ("bars", bars, BarSeries),
            ("settings", self.settings, FeatureSettings),
            *(("chains", chain, OptionChain) for chain in given),
        ):
            if not isinstance(value, wanted):
                msg = f"{name}: {shown(value)} is no {wanted.__name__}"
                raise TypeError(msg)
        self.bars = bars
        # What is beyond the floats is as good as not told.
        with np.errstate(all="ignore"):
            self._groups = {
                "hedge": hedge_columns(bars, given, self.settings),
                "liquidity": liquidity_columns(bars, self.settings),
                "sentiment": sentiment_columns(bars, self.settings),
                "wyckoff": wyckoff_columns(bars, self.settings),
                "markov": markov_columns(bars, self.settings),
            }
        self._states: npt.NDArray[np.float32] | None = None
        for columns in self._groups.values():
            for values in columns.values():
                values[~np.isfinite(values)] = np.nan
                values.flags.writeable = False
        self._told = {
            name: ~np.isnan(np.array(list(columns.values()))).any(axis=0)
            for name, columns in self._groups.items()
        }

    def __len__(self) -> int:
        return len(self.bars)

    @property
    def columns(self) -> Mapping[str, Floats]:
        """Every number of every bar, by ``"group.name"``; read-only, NaN where there is none.

        A state is its place in ``("down", "flat", "up")``, an event 0 or 1.
        """
        return {
            f"{group}.{name}": values
            for group, columns in self._groups.items()
            for name, values in columns.items()
        }

    @property
    def warm_up(self) -> int:
        """First bar at which all are told but ``hedge`` and ``analogue``; else how many bars.

        The state of ``analogue`` is told from `StateEncoder.warm_up` on.
        """
        groups = [told for name, told in self._told.items() if name != "hedge"]
        together = np.logical_and.reduce(groups)
        return int(together.argmax()) if together.any() else len(self)

    def at(self, bar: int) -> AgentFeatures:
        """Return what is told at the close of a bar, in plain Python types.

        A group is absent before all of its values can be told.

        Raises
        ------
        ValueError
            There is no such bar; they count from 0.
        """
        if not isinstance(bar, (int, np.integer)) or not 0 <= bar < len(self):
            msg = f"bar={shown(bar)}: give one from 0 to {len(self) - 1}"
            raise ValueError(msg)
        features: AgentFeatures = {}
        if self._told["hedge"][bar]:
            features["hedge"] = self._hedge(bar)
        if self._told["liquidity"][bar]:
            features["liquidity"] = self._liquidity(bar)
        if self._told["sentiment"][bar]:
            features["sentiment"] = self._sentiment(bar)
        if self._told["wyckoff"][bar]:
            features["wyckoff"] = self._wyckoff(bar)
        if self._told["markov"][bar]:
            features["markov"] = self._markov(bar)
        if bar >= StateEncoder.warm_up and np.isfinite(state := self._state(bar)).all():
            features["analogue"] = AnalogueFeatures(embedding=state.tolist())
        return features

    def _state(self, bar: int) -> Vector:
        # Where bars come one by one, a table is made to be asked of its last one alone.
        with np.errstate(all="ignore"):
            if self._states is None and bar == len(self) - 1:
                return StateEncoder().encode(self.bars, bar)
            if self._states is None:
                self._states = StateEncoder().encode_all(self.bars)
        row: Vector = self._states[bar]
        return row

    def _row(self, group: str, bar: int) -> dict[str, float]:
        return {name: values.item(bar) for name, values in self._groups[group].items()}

    def _hedge(self, bar: int) -> HedgeFeatures:
        row = self._row("hedge", bar)
        return HedgeFeatures(
            net_gamma_exposure=row["net_gamma_exposure"],
            smart_flow_signal=row["smart_flow_signal"],
            move=row["move"],
        )

    def _liquidity(self, bar: int) -> LiquidityFeatures:
        row = self._row("liquidity", bar)
        return LiquidityFeatures(
            amihud=row["amihud"],
            kyle_lambda=row["kyle_lambda"],
            volume_profile=VolumeProfile(
                point_of_control=row["point_of_control"],
                value_area_low=row["value_area_low"],
                value_area_high=row["value_area_high"],
                position=row["position"],
            ),
        )

    def _sentiment(self, bar: int) -> SentimentFeatures:
        row = self._row("sentiment", bar)
        return SentimentFeatures(
            momentum=row["momentum"],
            volatility=row["volatility"],
            trend_strength=row["trend_strength"],
        )

    def _wyckoff(self, bar: int) -> WyckoffFeatures:
        row = self._row("wyckoff", bar)
        return WyckoffFeatures(
            ad_line=row["ad_line"],
            accumulation=row["accumulation"],
            range_low=row["range_low"],
            range_high=row["range_high"],
            spring=row["spring"] == 1.0,
            upthrust=row["upthrust"] == 1.0,
        )

    def _markov(self, bar: int) -> MarkovFeatures:
        row = self._row("markov", bar)
        return MarkovFeatures(
            state=STATES[int(row["state"])],
            probability_up=row["probability_up"],
            probability_down=row["probability_down"],
            samples=int(row["samples"]),
        )
