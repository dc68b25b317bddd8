"""From bars and strategies to a folder with a report and a run card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import mapping
from nt_memory.backtest.experiment import Experiment, evaluate
from nt_memory.backtest.report import render, run_card
from nt_memory.backtest.runs import CARD, REPORT, RETURNS, returns_table
from nt_memory.backtest.strategy import About, Stage, Stance
from nt_memory.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nt_memory.backtest.market import Market
    from nt_memory.backtest.settings import Settings
    from nt_memory.backtest.strategy import Strategy, StrategyFactory
    from nt_memory.backtest.windows import Window
    from nt_memory.market import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """A finished run and where its files are."""

    folder: Path
    experiment: Experiment
    card: dict[str, Any]


def run_backtest(
    market: Market,
    strategies: StrategyFactory,
    settings: Settings,
    folder: Path,
    *,
    about: About | None = None,
    regimes: Sequence[str | None] = (),
    decay: Callable[[], Mapping[str, Sequence[tuple[float, float]]]] = dict,
    on_step: Callable[[], None] = lambda: None,
) -> Backtest:
    """Let strategies decide at every close, trade it, and write what came of it.

    The folder gets ``report.html``, ``run_card.json`` and ``returns.csv`` (what
    each arm made at each step).  They hold nothing but what follows from the
    bars, the settings, the build and the machine: the same again gives the
    same bytes.

    Parameters
    ----------
    market
        What is traded.
    strategies
        Makes the strategies of all arms; see `StrategyFactory`.
    settings
        See `Settings`.
    folder
        A directory that is new or empty.  The strategies keep what they keep in it; with
        several windows, in ``windows/1`` and so on.
    about
        What the report tells of the strategies.
    regimes
        A label a step, causal, None where there is none: the report shades
        them.  By default what the stances of the first arm say.
    decay
        Asked for when all has been traded: curves for the report, by name,
        (age in bars, value).
    on_step
        Called after each step on which the strategies have decided.

    Raises
    ------
    ValueError
        The market is too short, the folder is not empty, labels and steps
        differ in number, or a strategy names a symbol or gives a weight that
        cannot be.
    """
    from nt_memory import _native  # the extension is loaded when it is first used

    windows = settings.windows(len(market))
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder}: is not empty; give a new folder"
        raise ValueError(msg)
    if len(regimes) not in {0, len(market)}:
        msg = f"regimes: {len(regimes)} labels for {len(market)} steps"
        raise ValueError(msg)
    several = settings.test is not None
    stances: dict[str, dict[int, Stance]] = {}
    for number, window in enumerate(windows, 1):
        place = folder / "windows" / str(number) if several else folder
        place.mkdir(parents=True, exist_ok=True)
        for name, decided in walk(market, strategies, settings, window, place, on_step).items():
            traded = {step: stance for step, stance in decided.items() if step in window.test}
            stances.setdefault(name, {}).update(traded)
    traded_market = market.head(windows[-1].test.stop)
    weights = {
        name: _weights(name, decided, traded_market, windows) for name, decided in stances.items()
    }
    arms, intervals = evaluate(traded_market, weights, settings)
    experiment = Experiment(
        market=traded_market,
        settings=settings,
        windows=windows,
        arms=arms,
        intervals=intervals,
        about=about or About(),
        stances=stances,
        regimes=_labels(regimes, stances, len(traded_market)),
        decay=decay(),
    )
    card = run_card(experiment, _native.distance_kernel())
    for name, text in (
        (REPORT, render(experiment, card)),
        (RETURNS, returns_table(experiment)),
        # Last: a folder with a card is a run that has ended.
        (CARD, json.dumps(card, indent=2, allow_nan=False) + "\n"),
    ):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return Backtest(folder, experiment, card)


def walk(
    market: Market,
    strategies: StrategyFactory,
    settings: Settings,
    window: Window,
    folder: Path | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> dict[str, dict[int, Stance]]:
    """Ask new strategies at each close of a window; return what they decided, by arm and step.

    The clock is moved to the close, and they are shown the bars up to it.
    """
    clock = ManualClock(market.closed_at(window.train.start))
    decided: dict[str, dict[int, Stance]] = {}
    with strategies(Stage(market, clock, settings, folder)) as made:
        asked: dict[str, Strategy] = dict(mapping("strategies", made))
        for name, strategy in asked.items():
            if not isinstance(name, str) or not hasattr(strategy, "decide"):
                msg = f"strategies[{shown(name)}]={shown(strategy)}: give a Strategy by name"
                raise TypeError(msg)
        decided = {name: {} for name in asked}
        for step in (*window.train, *window.test):
            clock.set(market.closed_at(step))
            past = market.head(step + 1)
            for name, strategy in asked.items():
                decided[name][step] = _checked(name, strategy.decide(past))
            on_step()
    return decided


def _checked(name: str, stance: Stance) -> Stance:
    """Return what a strategy said, where it is a stance on weights."""
    if not isinstance(stance, Stance):
        msg = f"{name}: decided {shown(stance)}; return a Stance"
        raise TypeError(msg)
    mapping(f"{name}: weights", stance.weights)
    mapping(f"{name}: contributions", stance.contributions)
    return stance


def _labels(
    given: Sequence[str | None], stances: Mapping[str, Mapping[int, Stance]], steps: int
) -> tuple[str | None, ...]:
    """Return the label of each step: as given, else as the first arm said; () without any."""
    told: list[str | None] = list(given[:steps])
    if not told:
        said = next(iter(stances.values()))
        told = [said[step].regime if step in said else None for step in range(steps)]
    if not any(told):
        return ()
    # Of an enumeration its value: its name in a text differs between versions of Python.
    return tuple(None if label is None else str(getattr(label, "value", label)) for label in told)


def _weights(
    name: str, stances: Mapping[int, Stance], market: Market, windows: Sequence[Window]
) -> Floats:
    """Return what an arm decided as a table; steps between two windows are flat."""
    start = windows[0].test.start
    table = np.zeros((len(market) - start, len(market.symbols)))
    columns = {symbol: column for column, symbol in enumerate(market.symbols)}
    for step, stance in stances.items():
        for symbol, weight in stance.weights.items():
            if symbol not in columns:
                msg = f"{name}: decided on {shown(symbol)}, which is not in the market"
                raise ValueError(msg)
            if not isinstance(weight, Real) or not abs(weight) <= 1.0:  # as NaN is not
                msg = (
                    f"{name}: weight {shown(weight)} for {shown(symbol)} at "
                    f"{market.closed_at(step)}; give -1 to 1"
                )
                raise ValueError(msg)
            table[step - start, columns[symbol]] = weight
    return table
