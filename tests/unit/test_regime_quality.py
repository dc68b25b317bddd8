"""Regimes against what is known: crises of the S&P 500, a quiet currency, drawn states."""

import csv
import importlib.util
import itertools
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from arch.data import sp500
from sklearn.metrics import adjusted_rand_score
from statsmodels.tools.sm_exceptions import ModelWarning
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from nt_memory import Regime, RegimeDetectionAgent
from regimes import prices_of, switching

LOUD = {Regime.CRISIS, Regime.VOLATILE}
TABLE = sp500.load()
CLOSES = TABLE["Adj Close"].to_numpy()
DAYS = TABLE.index.to_pydatetime()


@pytest.fixture(scope="module", params=["by rules", "fitted on five years", "fitted on all"])
def labels(request):
    """The label of each day; the real returns bear no fitted states out."""
    agent = RegimeDetectionAgent()
    if request.param != "by rules":
        agent.fit(CLOSES if request.param == "fitted on all" else CLOSES[:1260])
    return agent.predict(CLOSES).labels


def share(labels, first, last, regimes=LOUD):
    """Return how much of a span of days, both included, was in some regimes."""
    begin, end = (datetime.fromisoformat(day) for day in (first, last))
    within = [label for label, at in zip(labels, DAYS, strict=True) if begin <= at <= end]
    return sum(label in regimes for label in within) / len(within)


@pytest.mark.parametrize(
    ("first", "last", "least"),
    [
        ("2000-03-24", "2002-10-09", 0.5),  # from the peak to the trough
        ("2000-01-01", "2002-12-31", 0.5),
        ("2008-09-01", "2009-03-31", 0.8),
        ("2011-08-01", "2011-12-31", 0.5),
    ],
)
def test_known_crises_are_told(labels, first, last, least):
    assert share(labels, first, last) >= least


def test_the_crisis_of_2008_is_called_one(labels):
    assert share(labels, "2008-10-10", "2009-03-31", {Regime.CRISIS}) > 0.9


@pytest.mark.parametrize("year", ["2004", "2005", "2006", "2017"])
def test_calm_years_are_calm(labels, year):
    assert share(labels, f"{year}-01-01", f"{year}-12-31") <= 0.25


def test_labels_do_not_flicker(labels):
    changes = sum(a is not b for a, b in itertools.pairwise(labels))
    assert changes < len(labels) / 50


def currency():
    """Return the hourly closes of EURUSD in 2017 that gym-anytrading ships."""
    found = importlib.util.find_spec("gym_anytrading")  # without its import, which needs gym
    assert found is not None, "gym-anytrading is not installed: it is of the development group"
    file = Path(found.origin).parent / "datasets" / "data" / "FOREX_EURUSD_1H_ASK.csv"
    with file.open(newline="") as lines:
        return [float(row["Close"]) for row in csv.DictReader(lines)]


@pytest.mark.parametrize("fitted", [0, 3000])
def test_a_quiet_currency_has_no_crisis(fitted):
    closes = currency()
    agent = RegimeDetectionAgent()
    if fitted:
        agent.fit(closes[:fitted])
    labels = agent.predict(closes).labels
    assert Regime.CRISIS not in labels
    changes = sum(a is not b for a, b in itertools.pairwise(labels))
    assert changes < len(closes) / 10


DRAWN = {
    "two widths": ((0.99, 0.98), (0.0005, -0.0005), (0, 0), (0.006, 0.02)),
    "two near widths": ((0.99, 0.99), (0.0, 0.0), (0, 0), (0.008, 0.016)),
    "fast": ((0.98, 0.95), (0.0005, -0.0005), (0, 0), (0.008, 0.024)),
    "slow": ((0.995, 0.995), (0.0005, -0.001), (0, 0), (0.01, 0.03)),
    "three widths": ((0.99, 0.99, 0.98), (0.0005, 0.0002, -0.001), (0, 0, 0), (0.005, 0.012, 0.03)),
    "three drifts": ((0.99, 0.99, 0.98), (0.002, 0.0, -0.002), (0, 0, 0), (0.008, 0.004, 0.02)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_states_are_found_as_a_hidden_markov_model_finds_them(name):
    states, returns = switching(*DRAWN[name], 3000, np.random.default_rng(1))
    half = len(returns) // 2
    prices = prices_of(returns)
    found = RegimeDetectionAgent().fit(prices[: half + 1]).predict(prices).labels[1:]
    least = adjusted_rand_score(states[half:], filtered(returns, half, *DRAWN[name])[half:])
    assert least > 0.5
    assert adjusted_rand_score(states[half:], [r.value for r in found[half:]]) >= least - 0.05
    changes = sum(a is not b for a, b in zip(found[half:], found[half + 1 :], strict=False))
    assert changes < half / 10


def filtered(returns, half, stays, means, _, deviations):
    """Return the likeliest filtered states of a model fitted on the first half.

    Its fit begins at the parameters that drew the series: the reference has all the luck.
    """
    kinds, scaled = len(stays), 100.0 * returns
    options = {"k_regimes": kinds, "switching_variance": True}
    others = [(1.0 - stay) / (kinds - 1) for stay in stays]
    changes = [
        stays[state] if state == following else others[state]
        for following in range(kinds - 1)
        for state in range(kinds)
    ]
    widths = [(100.0 * deviation) ** 2 for deviation in deviations]
    start = [*changes, *(100.0 * mean for mean in means), *widths]
    with warnings.catch_warnings():
        # Its search may stop before the last digit.
        warnings.simplefilter("ignore", ModelWarning)
        model = MarkovRegression(scaled[:half], **options)
        fitted = model.fit(start_params=start, em_iter=0, search_reps=0, disp=False)
    over_all = MarkovRegression(scaled, **options).filter(fitted.params)
    return over_all.filtered_marginal_probabilities.argmax(axis=1)
