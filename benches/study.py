"""Does memory help?  Every strategy on every series, and on worlds with a known answer.

``make study`` runs all of it and writes results/study.json and results/study.md; the
answer in words is docs/explanation/does-memory-help.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.progress import Progress

from nt_memory.agents.swarm import ON_BARS
from nt_memory.backtest import Analogues, Market, Settings, load_sp500, run_backtest
from nt_memory.backtest.bootstrap import sharpe_difference
from nt_memory.backtest.settings import HOLD, MEMORY, PLAIN, SHUFFLED
from nt_memory.backtest.swarm import Swarms
from nt_memory.backtest.worlds import empty_world, planted_world
from nt_memory.bars import read_bars
from nt_memory.policy import StateEncoder

RESULTS = Path(__file__).parent / "results"
STRATEGIES = {
    "analogue": Analogues,
    # History of option chains that matches prices is not public: the hedge agent has none.
    **{agent.name: partial(Swarms, (agent,)) for agent in ON_BARS if agent.name != "analogue"},
    "four": partial(Swarms, ON_BARS[:-1]),
    "four and analogue": Swarms,
}
# Records alone move what the four come to; with the analogue agent, memory has a vote.
BOTH = ("analogue", "four and analogue")
SERIES = ("S&P 500", "NASDAQ", "GOOGL", "EURUSD")
# Tails of intervals that are corrected for all comparisons hold few resamples of the usual 5,000.
RESAMPLES = 20_000
SETTINGS = Settings(train=StateEncoder.warm_up + 252)
WORLD = replace(SETTINGS, train=StateEncoder.warm_up + 126)


def load(name):
    """Read one of the series that the packages of the development group bring along."""
    if name == "S&P 500":
        return load_sp500()
    if name == "NASDAQ":
        folder = Path(importlib.util.find_spec("arch").origin).parent / "data" / "nasdaq"
        return read_bars(folder / "nasdaq.csv.gz", "NASDAQ", "America/New_York")
    data = Path(importlib.util.find_spec("gym_anytrading").origin).parent / "datasets" / "data"
    if name == "GOOGL":
        return read_bars(data / "STOCKS_GOOGL.csv", "GOOGL", "America/New_York")
    return read_bars(data / "FOREX_EURUSD_1H_ASK.csv", "EURUSD", label="open")


def ran(bars, strategy, settings):
    """Run one strategy; return its experiment."""
    made = STRATEGIES[strategy]()
    with tempfile.TemporaryDirectory() as folder:
        run = run_backtest(Market([bars]), made, settings, Path(folder) / "run", about=made.about)
    return run.experiment


def told(interval):
    return [interval.difference, interval.low, interval.high]


def on_prices(job):
    """Return a row of the table of real prices."""
    name, strategy, comparisons = job
    experiment = ran(load(name), strategy, SETTINGS)
    returns = {arm: each.run.returns for arm, each in experiment.arms.items()}
    row = {"series": name, "strategy": strategy, "bars": len(returns[MEMORY])}
    row["sharpe"] = {arm: each.metrics.sharpe for arm, each in experiment.arms.items()}
    for other in (PLAIN, SHUFFLED):
        compare = partial(
            sharpe_difference, returns[MEMORY], returns[other], seed=0, resamples=RESAMPLES
        )
        row[other] = {
            "alone": told(compare()),
            "corrected": told(compare(level=1.0 - 0.05 / comparisons)),
        }
    return row


def on_world(job):
    """Return what memory came to in a made-up world."""
    kind, strategy, seed = job
    made = {
        "empty": empty_world,
        "planted": planted_world,
        "setups without what follows": partial(planted_world, drift=0.0),
    }[kind]
    experiment = ran(made(seed), strategy, WORLD)
    arms = experiment.arms
    interval = sharpe_difference(arms[MEMORY].run.returns, arms[PLAIN].run.returns, seed=seed)
    return {"kind": kind, "strategy": strategy, "seed": seed, "interval": told(interval)}


def table(rows, worlds):
    """Write the results as Markdown."""
    heads = ["series", "strategy", "memory", "none", "shuffled", "hold"]
    heads += ["memory - none (alone)", "corrected"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        sharpe = row["sharpe"]
        alone, corrected = row[PLAIN]["alone"], row[PLAIN]["corrected"]
        cells = [row["series"], row["strategy"]]
        cells += [f"{sharpe[arm]:+.2f}" for arm in (MEMORY, PLAIN, SHUFFLED, HOLD)]
        cells.append(f"{alone[0]:+.2f} ({alone[1]:+.2f} to {alone[2]:+.2f})")
        cells.append(f"{corrected[1]:+.2f} to {corrected[2]:+.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    heads = ["world", "strategy", "runs", "interval above zero", "below zero", "mean difference"]
    lines += ["", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    grouped = {}
    for world in worlds:
        grouped.setdefault((world["kind"], world["strategy"]), []).append(world["interval"])
    for (kind, strategy), intervals in grouped.items():
        above = sum(low > 0.0 for _, low, _ in intervals)
        below = sum(high < 0.0 for _, _, high in intervals)
        mean = sum(difference for difference, _, _ in intervals) / len(intervals)
        lines.append(
            f"| {kind} | {strategy} | {len(intervals)} | {above} | {below} | {mean:+.2f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200, help="empty worlds")
    parser.add_argument("--others", type=int, default=20, help="of the other strategies")
    parser.add_argument("--planted", type=int, default=20, help="worlds with a pattern")
    parser.add_argument("--series", nargs="*", default=SERIES, choices=SERIES)
    parser.add_argument("--strategies", nargs="*", default=list(STRATEGIES))
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    comparisons = 2 * len(SERIES) * len(STRATEGIES)
    prices = [(name, each, comparisons) for name in asked.series for each in asked.strategies]
    worlds = [("empty", "analogue", seed) for seed in range(asked.worlds)]
    others = [each for each in STRATEGIES if each != "analogue"]
    worlds += [("empty", each, seed) for each in others for seed in range(asked.others)]
    worlds += [
        (kind, each, seed)
        for kind in ("planted", "setups without what follows")
        for each in BOTH
        for seed in range(asked.planted)
    ]
    with ProcessPoolExecutor(asked.workers) as pool, Progress() as progress:
        rows = list(progress.track(pool.map(on_prices, prices), len(prices), description="prices"))
        made = list(progress.track(pool.map(on_world, worlds), len(worlds), description="worlds"))
    RESULTS.mkdir(exist_ok=True)
    text = table(rows, made)
    (RESULTS / "study.json").write_text(json.dumps({"prices": rows, "worlds": made}, indent=1))
    (RESULTS / "study.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
