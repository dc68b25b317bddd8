"""Which agent earned what, in which regime: parts that add up to what the arm made.

An agent's part of a position is what it contributed to the decision, through
the same sleeves, sizes and fills.  Its profit at a step is that of its part
between the closes, less its share of the costs, in units of the equity at the
start; what the agents leave of the weights is nobody's, `REST`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.backtest.engine import Costs, Run
    from nt_memory.backtest.experiment import Experiment
    from nt_memory.backtest.market import Market, Mask
    from nt_memory.market import Floats

REST = "rest"
ALWAYS = "all"
# Contributions that miss their weight by no more than rounding leave no rest.
ROUNDING = 1e-9


def attribution(experiment: Experiment, arm: str) -> dict[str, dict[str, float]]:
    """Split what an arm made by agent and regime; the sum is its total return.

    A step counts for the regime that was known at the close before it, when its
    fills were decided; ``"all"`` where there are no labels, ``"none"`` where a
    step has none.  Empty where the strategy told no contributions.
    """
    shares = _contributed(experiment, arm)
    if not shares:
        return {}
    market, start, settings = experiment.market, experiment.start, experiment.settings
    run = experiment.arms[arm].run
    weights = experiment.arms[arm].weights
    sizing = settings.sizing
    bound = sizing.scale(market, start, sizing.sized(market, start, weights, settings.holding))
    targets = np.stack(
        [sizing.sized(market, start, part, settings.holding) * bound for part in shares.values()]
    )
    earned = profits(market, start, run, targets, settings.costs)
    labels = _labels(experiment)
    return {
        agent: {label: float(earned[place][labels == label].sum()) for label in np.unique(labels)}
        for place, agent in enumerate(shares)
    }


def profits(market: Market, start: int, run: Run, targets: Floats, costs: Costs) -> Floats:
    """Split what a run made at each step among parts of its targets.

    Parameters
    ----------
    market, start, run, costs
        See `simulate`.
    targets
        Parts that add up to the targets of the run: shape (parts, steps, symbols).

    Returns
    -------
    array
        Shape (parts, steps): in units of the equity at the start.
    """
    prices = market.prices
    opens, closes = prices.open[start + 1 :], prices.close[start + 1 :]
    kept = 1.0 - costs.total * run.traded.sum(axis=1)
    move = opens[1:] / opens[:-1]
    growth = 1.0 + (run.position[:-1] * (move - 1.0)).sum(axis=1)
    at_open = np.cumprod(np.concatenate([[1.0], growth]) * kept)
    drift = move / np.where(growth > 0.0, growth, 1.0)[:, np.newaxis]
    held, before = _parts(targets, drift, kept, ~prices.fresh[start + 1 :])
    during = at_open[:, np.newaxis] * (closes / opens - 1.0)
    over_night = at_open[:-1, np.newaxis] * (opens[1:] - closes[:-1]) / opens[:-1]
    found: Floats = (held * during).sum(axis=2)
    found[:, 1:] += (held[:, :-1] * over_night).sum(axis=2)
    moved = np.abs(held - before)
    every = moved.sum(axis=0)
    paid = (at_open / kept * costs.total)[:, np.newaxis] * run.traded
    share = np.divide(paid, every, out=np.zeros_like(paid), where=every > 0.0)
    found -= (moved * share).sum(axis=2)
    lost = np.flatnonzero(run.returns <= -1.0)
    if len(lost):
        # Nobody loses more than there was, and who has lost everything does not come back.
        at = int(lost[0])
        found[:, at] *= -np.prod(1.0 + run.returns[:at]) / found[:, at].sum()
        found[:, at + 1 :] = 0.0
    return found


def _parts(targets: Floats, drift: Floats, kept: Floats, stale: Mask) -> tuple[Floats, Floats]:
    """Return the part of each position after and before each open."""
    held = np.where(stale, 0.0, targets[:, :-1])
    for step in np.flatnonzero(stale.any(axis=1)):
        if step:
            alone = stale[step]
            carried = held[:, step - 1] * drift[step - 1] / kept[step]
            held[:, step, alone] = carried[:, alone]
    before = np.zeros_like(held)
    before[:, 1:] = held[:, :-1] * drift
    # Shares that are left alone trade nothing, whatever costs made of their weight.
    return held, np.where(stale, held, before)


def _contributed(experiment: Experiment, arm: str) -> dict[str, Floats]:
    """Return the contributions of each agent as tables, and what they leave."""
    weights = experiment.arms[arm].weights
    columns = {symbol: column for column, symbol in enumerate(experiment.market.symbols)}
    found: dict[str, Floats] = {}
    for step, stance in experiment.stances.get(arm, {}).items():
        for agent, parts in stance.contributions.items():
            table = found.setdefault(agent, np.zeros_like(weights))
            _put(table[step - experiment.start], parts, columns, agent)
    if not found:
        return {}
    rest = weights - np.sum(list(found.values()), axis=0)
    rest[np.abs(rest) <= ROUNDING] = 0.0
    ordered = {agent: found[agent] for agent in sorted(found)}
    if REST in ordered:  # somebody is called so
        ordered[REST] += rest
        return ordered
    return {**ordered, REST: rest} if rest.any() else ordered


def _put(row: Floats, parts: Mapping[str, float], columns: Mapping[str, int], agent: str) -> None:
    for symbol, part in parts.items():
        if symbol not in columns or not np.isfinite(part):
            msg = (
                f"contributions[{shown(agent)}][{shown(symbol)}]={shown(part)}: "
                "give a number for a symbol of the market"
            )
            raise ValueError(msg)
        row[columns[symbol]] = part


def _labels(experiment: Experiment) -> np.ndarray:
    """Return the regime under which each step after the first decision was traded."""
    start, steps = experiment.start, len(experiment.market)
    if not experiment.regimes:
        return np.full(steps - start - 1, ALWAYS)
    told = experiment.regimes[start : steps - 1]
    return np.array(["none" if label is None else str(label) for label in told])
