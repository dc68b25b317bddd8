"""The features again, a bar at a time and as plainly as can be: the oracle of the tests."""

import math
from itertools import pairwise
from statistics import fmean, stdev

import numpy as np


def returns_of(bars):
    close = bars.close.tolist()
    return [math.nan, *(math.log(b / a) for a, b in pairwise(close))]


def score(values, bar, window, limit=10.0):
    """Measure a value against those before it; None before there are enough."""
    before = values[bar - window : bar]
    if bar < window or any(math.isnan(v) for v in [*before, values[bar]]):
        return None
    return max(-limit, min(limit, (values[bar] - fmean(before)) / stdev(before)))


def momentum(bars, bar, window):
    return math.log(bars.close[bar] / bars.close[bar - window])


def volatility(bars, bar, window):
    return stdev(returns_of(bars)[bar - window + 1 : bar + 1])


def trend_strength(bars, bar, window):
    y = np.log(bars.close[bar - window + 1 : bar + 1])
    r = np.corrcoef(np.arange(window), y)[0, 1]
    return r * abs(r)


def amihud(bars, bar, window):
    returns = returns_of(bars)
    return fmean(
        abs(returns[b]) / (bars.close[b] * bars.volume[b])
        for b in range(bar - window + 1, bar + 1)
        if bars.volume[b] > 0
    )


def kyle_lambda(bars, bar, window):
    returns, sign, flows = returns_of(bars), 1.0, []
    for b in range(1, bar + 1):
        sign = math.copysign(1.0, returns[b]) if returns[b] else sign
        flows.append(sign * bars.close[b] * bars.volume[b])
    x, y = np.array(flows[-window:]), np.array(returns[bar - window + 1 : bar + 1])
    return np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]


def profile(bars, bar, window, rows, share):
    """Return the rows' volumes, the point of control and the value area."""
    span = range(bar - window + 1, bar + 1)
    bottom, top = min(bars.low[b] for b in span), max(bars.high[b] for b in span)
    height = (top - bottom) / rows
    volumes = [0.0] * rows
    for b in span:
        low, high, volume = bars.low[b], bars.high[b], bars.volume[b]
        if high == low:
            place = 0 if height == 0 else min(int((low - bottom) / height), rows - 1)
            volumes[place] += volume
            continue
        for row in range(rows):
            inside = min(high, bottom + (row + 1) * height) - max(low, bottom + row * height)
            volumes[row] += volume * max(inside, 0.0) / (high - low)
    best = max(range(rows), key=lambda row: (volumes[row], -row))
    first = last = best
    while sum(volumes[first : last + 1]) < share * sum(volumes) and last - first < rows - 1:
        above = volumes[last + 1] if last + 1 < rows else -1.0
        below = volumes[first - 1] if first > 0 else -1.0
        if above >= below:
            last += 1
        else:
            first -= 1
    return {
        "point_of_control": bottom + (best + 0.5) * height,
        "value_area_low": bottom + first * height,
        "value_area_high": bottom + (last + 1) * height,
    }


def is_spring(bars, bar, settings):
    """Whether a low of the range that broke in the last bars is won back at this close."""
    window = settings.range_window
    for broke in range(max(bar - settings.recovery + 1, window), bar + 1):
        support = min(bars.low[broke - window : broke])
        height = max(bars.high[broke - window : broke]) - support
        if (
            bars.low[broke] < support
            and min(bars.low[broke : bar + 1]) >= support - settings.break_depth * height
            and abs(bars.close[broke - 1] - bars.close[broke - window])
            <= settings.range_drift * height
            and all(close <= support for close in bars.close[broke:bar])
            and bars.close[bar] > support
        ):
            return True
    return False


def state(bars, bar, window):
    returns = returns_of(bars)
    lower, upper = np.quantile(returns[bar - window : bar], [1 / 3, 2 / 3])
    return 0 if returns[bar] < lower else 2 if returns[bar] > upper else 1


def markov(bars, bar, settings):
    """Return the chances of down and up, and what they rest on."""
    window = settings.state_window
    states = {b: state(bars, b, window) for b in range(window + 1, bar + 1)}
    nexts = [
        states[b]
        for b in range(bar - settings.transition_window + 1, bar + 1)
        if b - 1 in states and states[b - 1] == states[bar]
    ]
    prior = settings.transition_prior
    chances = [(nexts.count(s) + prior) / (len(nexts) + 3 * prior) for s in range(3)]
    return {"probability_down": chances[0], "probability_up": chances[2], "samples": len(nexts)}
