"""The agent that tells regimes, without a memory."""

import numpy as np
import pytest

from builders import day
from markets import random_bars
from nt_memory import MarketSnapshot, Regime, RegimeDetectionAgent
from regimes import bars_of_closes, prices_of, switching

RNG = np.random.default_rng(4)
WALK = prices_of(RNG.normal(0.0, 0.01, 900))


def shares(prices, agent=None):
    """Return how often a series is told to be in each regime."""
    labels = (agent or RegimeDetectionAgent()).predict(prices).labels
    return {regime: labels.count(regime) / (len(labels) - 99) for regime in Regime}


def reverting():
    logs = np.zeros(900)
    for bar in range(1, len(logs)):
        logs[bar] = 0.8 * logs[bar - 1] + RNG.normal(0.0, 0.01)
    return np.exp(logs)


@pytest.mark.parametrize(
    ("prices", "regime"),
    [
        (prices_of(RNG.normal(0.004, 0.01, 900)), Regime.TRENDING),
        (prices_of(RNG.normal(-0.001, 0.002, 900)), Regime.TRENDING),
        (100.0 * 1.001 ** np.arange(900), Regime.TRENDING),
        (reverting(), Regime.MEAN_REVERTING),
        (np.full(900, 100.0), Regime.QUIET),
    ],
)
def test_a_market_of_one_kind_is_told_to_be_of_it(prices, regime):
    assert shares(prices)[regime] > 0.75


def test_a_burst_is_volatile_and_then_quiet_again():
    deviations = np.repeat([0.01, 0.03, 0.008], [400, 100, 400])
    labels = RegimeDetectionAgent().predict(prices_of(RNG.normal(0.0, deviations))).labels
    assert {labels[490], labels[500]} <= {Regime.VOLATILE, Regime.CRISIS}
    assert labels[700] not in {Regime.VOLATILE, Regime.CRISIS}


def crash(depth):
    """Prices that fall by a share over forty wild bars, after a calm that made the past."""
    fall = np.log(1.0 - depth) / 40 + np.tile([0.03, -0.03], 20)
    return prices_of(np.concatenate([np.tile([0.004, -0.004], 300), fall]))


def test_a_crisis_needs_the_fall():
    assert RegimeDetectionAgent().predict(crash(0.20)).labels[-1] is Regime.CRISIS
    assert RegimeDetectionAgent().predict(crash(0.05)).labels[-1] is Regime.VOLATILE


def test_a_crisis_needs_the_volatility():
    calm = prices_of(np.concatenate([np.tile([0.01, -0.01], 300), np.full(60, -0.005)]))
    assert calm[-1] < 0.8 * calm[0]
    assert Regime.CRISIS not in RegimeDetectionAgent().predict(calm).labels


def test_a_crisis_ends_a_year_after_the_peak_at_the_latest():
    after = prices_of(np.concatenate([np.diff(np.log(crash(0.3))), np.tile([0.03, -0.03], 300)]))
    labels = RegimeDetectionAgent().predict(after).labels
    assert Regime.CRISIS in labels
    assert labels[-1] is not Regime.CRISIS


def test_the_higher_hold_is_the_fewer_changes_there_are():
    changes = [len(RegimeDetectionAgent(hold=hold).predict(WALK).spells()) for hold in (1, 5, 20)]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > changes[2]


# --- fitted -------------------------------------------------------------------


def two_states(count, seed=1):
    return switching(
        (0.98, 0.96), (0.0, 0.0), (0, 0), (0.006, 0.02), count, np.random.default_rng(seed)
    )


def test_states_are_found_with_their_parameters():
    agent = RegimeDetectionAgent().fit(prices_of(two_states(4000)[1]))
    assert sorted(agent.states.deviations) == pytest.approx([0.006, 0.02], rel=0.05)
    assert sorted(agent.states.stays()) == pytest.approx([25.0, 50.0], rel=0.3)


def test_a_fitted_agent_names_each_state_once():
    states, returns = switching(
        (0.99, 0.99, 0.98),
        (0.003, 0.0, 0.0),
        (0, -0.5, 0),
        (0.008, 0.008, 0.03),
        4000,
        np.random.default_rng(3),
    )
    agent = RegimeDetectionAgent().fit(prices_of(returns))
    labels = agent.predict(prices_of(returns)).labels[1:]
    for state, regime in enumerate((Regime.TRENDING, Regime.MEAN_REVERTING, Regime.VOLATILE)):
        within = [
            label for label, true in zip(labels, states, strict=True) if true == state and label
        ]
        assert within.count(regime) > 0.8 * len(within), regime


@pytest.mark.parametrize(
    "returns",
    [
        RNG.normal(0.0, 0.01, 1000),
        np.zeros(1000),
        np.full(1000, 0.001),
        np.tile([0.01, -0.01], 500),
        # A burst of one or two bars is no regime.
        np.where(np.arange(1000) % 40 < 2, 0.05, 0.001) * RNG.normal(size=1000),
    ],
)
def test_returns_without_states_leave_the_rules(returns):
    agent = RegimeDetectionAgent().fit(prices_of(returns))
    assert agent.states is None
    assert agent.predict(WALK) == RegimeDetectionAgent().predict(WALK)


def test_states_that_leave_something_are_not_believed():
    """Losses that raise what comes after them are no switching."""
    rng, spread, returns = np.random.default_rng(8), 1e-4, []
    for _ in range(3000):
        returns.append(rng.normal(0.0, spread**0.5))
        spread = 4e-6 + 0.86 * spread + 0.2 * min(returns[-1], 0.0) ** 2
    assert RegimeDetectionAgent().fit(prices_of(np.array(returns))).states is None


def test_a_fit_twice_is_the_same():
    prices = prices_of(two_states(1500)[1])
    assert RegimeDetectionAgent().fit(prices).states == RegimeDetectionAgent().fit(prices).states


def test_a_crisis_beyond_all_states_is_told():
    _, returns = two_states(2000)
    agent = RegimeDetectionAgent().fit(prices_of(returns))
    assert Regime.CRISIS not in agent.predict(prices_of(returns)).labels
    fall = np.tile([0.05, -0.06], 60)
    assert agent.predict(prices_of(np.concatenate([returns, fall]))).labels[-1] is Regime.CRISIS


# --- snapshots and updates ----------------------------------------------------


def snapshots(bars, start):
    return [MarketSnapshot.of(bars.head(count)) for count in range(start, len(bars) + 1)]


@pytest.mark.parametrize("fitted", [False, True])
def test_snapshots_that_go_on_tell_what_a_prediction_tells(fitted):
    bars = bars_of_closes(WALK[:300])
    agent = RegimeDetectionAgent()
    if fitted:
        agent.fit(prices_of(two_states(1500)[1]))
    told = [agent.detect_regime(seen) for seen in snapshots(bars, 150)]
    labels, confidences = agent.predict(bars)
    assert [one.regime for one in told] == list(labels[149:])
    assert [one.confidence for one in told] == list(confidences[149:])


def test_a_snapshot_by_itself_tells_the_same():
    bars = bars_of_closes(WALK[:300])
    agent = RegimeDetectionAgent()
    for seen in snapshots(bars, 290):
        assert agent.detect_regime(seen) == RegimeDetectionAgent().detect_regime(seen)
    again = MarketSnapshot.of(bars.head(200))
    assert agent.detect_regime(again) == RegimeDetectionAgent().detect_regime(again)


def test_a_snapshot_asked_for_twice_tells_the_same():
    agent, seen = RegimeDetectionAgent(), MarketSnapshot.of(bars_of_closes(WALK[:300]))
    assert agent.detect_regime(seen) == agent.detect_regime(seen)


def test_symbols_and_lookbacks_do_not_mix():
    agent = RegimeDetectionAgent()
    one, other = (
        MarketSnapshot.of(random_bars(200, seed=seed)) for seen, seed in enumerate((1, 2))
    )
    renamed = MarketSnapshot("OTHER", other.at, other.prices, other.volumes)
    agent.detect_regime(one)
    assert agent.detect_regime(renamed) == RegimeDetectionAgent().detect_regime(renamed)
    assert agent.detect_regime(one, 50) == RegimeDetectionAgent(lookback=50).detect_regime(one)


def test_closes_alone_do():
    agent = RegimeDetectionAgent()
    told = [agent.update(price) for price in WALK[:200]]
    assert told[98] is None
    assert [one.regime for one in told[99:]] == list(agent.predict(WALK[:200]).labels[99:])


@pytest.mark.parametrize("fitted", [False, True])
def test_a_step_from_the_largest_price_to_the_least_is_told(fitted):
    prices = np.concatenate([WALK[:120], [1e300, 1e-300, 1e300, 1e-300]])
    agent = RegimeDetectionAgent()
    if fitted:
        agent.fit(prices_of(two_states(1500)[1]))
        assert agent.states is not None
    told = [agent.update(price) for price in prices]
    assert [one.regime for one in told[99:]] == list(agent.predict(prices).labels[99:])
    assert all(0.0 <= one.confidence <= 1.0 for one in told[99:])


def test_a_fit_begins_updates_anew():
    agent = RegimeDetectionAgent()
    agent.update(bars_of_closes(WALK[:200]))
    agent.fit(WALK)
    assert agent.update(WALK[200]) is None


def test_spells_cover_all_bars_that_have_a_regime():
    found = RegimeDetectionAgent().predict(WALK)
    spells = found.spells()
    assert sum(spell.stop - spell.start for spell in spells) == len(WALK) - 99
    assert all(found.labels[spell.start] is spell.regime for spell in spells)


# --- bad input ----------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"lookback": 10}, {"neighbours": 0}, {"hold": 0}, {"hold": 1.5}, {"neighbours": True}],
)
def test_a_bad_setting_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        RegimeDetectionAgent(**options)


def test_bad_prices_are_refused():
    agent = RegimeDetectionAgent()
    with pytest.raises(ValueError, match="give at least lookback=100"):
        agent.fit(WALK[:99])
    with pytest.raises(ValueError, match=r"prices\[1\]=-1.0"):
        agent.predict([1.0, -1.0])
    with pytest.raises(ValueError, match="prices"):
        agent.update(float("nan"))
    with pytest.raises(ValueError, match="99 bars"):
        agent.detect_regime(MarketSnapshot.of(bars_of_closes(WALK[:99])))
    with pytest.raises(TypeError, match="snapshot="):
        agent.detect_regime(WALK)


def test_a_regime_is_kept_in_a_memory():
    seen = MarketSnapshot("SPY", day(0), WALK[:100], np.ones(100))
    with pytest.raises(ValueError, match="memory=None"):
        RegimeDetectionAgent().remember_regime(seen, Regime.QUIET)
