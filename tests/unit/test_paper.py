"""Paper trading: feeds, the simulated broker, and what a trader makes of its bars."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from markets import random_bars, thinned
from nt_memory import (
    ConflictError,
    FeatureSettings,
    FeatureTable,
    Filter,
    NamespaceError,
    Order,
    OrderRefusedError,
    PaperTrader,
    RegimeDetectionAgent,
    ReplayFeed,
    SimulatedBroker,
    StorageError,
    Swarm,
    VectorSpace,
)
from nt_memory.backtest import load_sp500
from nt_memory.paper import journal
from nt_memory.paper.watch import Watch, reach
from papers import NAME, SMALL, KilledError, Told, by_hand, series, start, trader

BARS = random_bars(12, seed=1)
SPACE = f"shared/paper/{NAME}"


@pytest.fixture
def memory(open_on):
    with open_on(start(), spaces={"text": VectorSpace(dim=32)}) as opened:
        yield opened


def one(bars, place):
    return bars.window(place, place + 1)


def told(memory, bars=BARS, weights=(1.0,), broker=SimulatedBroker, holding=1, **options):
    """Return a trader on one symbol that is told its weights."""
    decides = Told({bars.symbol: weights}, holding)
    return trader(memory, bars, memory.clock, broker, decides, **options)


def answering(answer):
    """Return a broker class whose orders are answered so."""
    return lambda memory, name: SimulatedBroker(memory, name, answer=answer)


# --- feeds -------------------------------------------------------------------


def test_a_replay_tells_bars_in_the_order_of_their_closes():
    both = [thinned(BARS, "B", [0, 2, 3]), thinned(BARS, "A", [1, 2])]
    found = [(bar.symbol, int(bar.times[0])) for bar in ReplayFeed(both).bars()]
    times = BARS.times.tolist()
    assert found == [
        ("B", times[0]),
        ("A", times[1]),
        ("A", times[2]),
        ("B", times[2]),
        ("B", times[3]),
    ]


def test_a_replay_begins_where_it_is_asked_to():
    assert len(list(ReplayFeed(BARS).bars(BARS.closed_at(7)))) == 5
    assert list(ReplayFeed(BARS).bars(BARS.closed_at(-1) + timedelta(1))) == []


def test_a_replay_reads_a_file(tmp_path):
    file = tmp_path / "spy.csv"
    file.write_text("Date,Open,High,Low,Close\n2024-01-02,4,5,3,4\n")
    feed = ReplayFeed(file)
    assert (feed.symbols, len(feed)) == (("spy",), 1)


def test_a_replay_moves_its_clock_and_never_back():
    clock = start()
    clock.set(BARS.closed_at(3))
    times = [clock.now() for _ in ReplayFeed(BARS, clock=clock).bars()]
    assert times == [BARS.closed_at(max(bar, 3)) for bar in range(len(BARS))]


def test_a_replay_at_a_speed_waits_between_closes():
    waits = []
    both = [BARS.head(3), replace(BARS.head(3), symbol="OTHER")]
    list(ReplayFeed(both, speed=4, wait=waits.append).bars())
    assert waits == [0.25, 0.25]


@pytest.mark.parametrize(
    ("market", "options", "named"),
    [
        ([], {}, "at least one series"),
        (BARS.head(0), {}, "no empty one"),
        ([BARS, BARS], {}, "one series a symbol"),
        (replace(BARS, symbol="\ud800"), {}, "symbol="),
        (BARS, {"speed": 0.0}, "speed=0.0"),
        (BARS, {"speed": float("nan")}, "speed=nan"),
        (BARS, {"speed": 5e-324}, "speed=5e-324: give closes a second, at least 1e-06"),
    ],
)
def test_a_replay_refuses_what_it_cannot_tell(market, options, named):
    with pytest.raises(ValueError, match=named):
        ReplayFeed(market, **options)


def test_a_replay_refuses_a_clock_that_it_cannot_move():
    with pytest.raises(TypeError, match="ManualClock"):
        ReplayFeed(BARS, clock=7)


# --- the broker --------------------------------------------------------------


def order(quantity, bar=0, symbol="TEST"):
    at = BARS.closed_at(bar)
    return Order(f"{symbol}.{at}", symbol, quantity, at)


def test_an_order_is_filled_at_the_next_open_with_its_costs(memory):
    broker = SimulatedBroker(memory, cash=1000.0, fee=0.01, slippage=0.02)
    broker.submit(order(2.0))
    assert broker.fills(one(BARS, 0), 0) == []
    (fill,) = broker.fills(one(BARS, 1), 0)
    price = BARS.open[1] * 1.02
    assert (fill.quantity, fill.price, fill.at) == (2.0, price, BARS.closed_at(1))
    assert fill.fee == pytest.approx(0.01 * 2 * price)
    assert broker.positions() == {"TEST": 2.0}
    assert broker.cash() == pytest.approx(1000.0 - 2.02 * price)


def test_a_sale_pays_the_slippage_below_and_leaves_nothing(memory):
    broker = SimulatedBroker(memory, slippage=0.02)
    broker.submit(order(2.0))
    broker.fills(one(BARS, 1), 0)
    broker.submit(order(-2.0, 1))
    (fill,) = broker.fills(one(BARS, 2), 1)
    assert fill.price == BARS.open[2] * 0.98
    assert broker.positions() == {}


def test_fills_are_told_again_and_orders_taken_once(memory):
    broker = SimulatedBroker(memory)
    broker.submit(order(2.0))
    first = broker.fills(one(BARS, 1), 0)
    broker.submit(order(2.0))
    assert SimulatedBroker(memory).fills(one(BARS, 1), 0) == first
    assert broker.fills(one(BARS, 2), 0) == first
    assert broker.fills(one(BARS, 2), 1) == []


def test_a_later_order_takes_the_place_of_one_that_waits(memory):
    broker = SimulatedBroker(memory)
    broker.submit(order(2.0))
    broker.submit(order(5.0, 1))
    (fill,) = broker.fills(one(BARS, 2), 0)
    assert fill.quantity == 5.0


def test_a_refused_order_stays_refused_however_often_it_comes(memory):
    answers = []

    def refuse(order):
        answers.append(order.id)
        msg = "no margin"
        raise OrderRefusedError(msg)

    broker = SimulatedBroker(memory, answer=refuse)
    for _ in range(2):
        with pytest.raises(OrderRefusedError, match="no margin"):
            broker.submit(order(2.0))
    assert len(answers) == 1
    assert broker.fills(one(BARS, 1), 0) == []


def test_what_is_filled_in_part_does_not_wait_for_the_rest(memory):
    broker = SimulatedBroker(memory, answer=lambda _: 0.25)
    broker.submit(order(2.0))
    assert [fill.quantity for fill in broker.fills(one(BARS, 1), 0)] == [0.5]
    assert len(broker.fills(one(BARS, 2), 0)) == 1


def test_an_order_of_which_nothing_is_filled_is_no_fill(memory):
    broker = SimulatedBroker(memory, answer=lambda _: 0.0)
    broker.submit(order(2.0))
    assert broker.fills(one(BARS, 1), 0) == []


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "half"])
def test_an_answer_that_is_no_share_changes_nothing(memory, share):
    broker = SimulatedBroker(memory, NAME, answer=lambda _: share)
    with pytest.raises(ValueError, match="answer="):
        broker.submit(order(2.0))
    assert memory.get(f"{SPACE}/broker", "book") is None


@pytest.mark.parametrize(
    "options", [{"cash": 0.0}, {"cash": float("inf")}, {"fee": -0.1}, {"slippage": 0.2}]
)
def test_a_broker_refuses_terms_that_cannot_be(memory, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        SimulatedBroker(memory, **options)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda broker: broker.submit("buy"), "order='buy'"),
        (lambda broker: broker.submit(replace(order(2.0), symbol="")), "symbol=''"),
        (lambda broker: broker.fills(BARS, 0), "BarSeries of one bar"),
        (lambda broker: broker.fills(BARS.head(1), -1), "after=-1"),
    ],
)
def test_a_broker_names_what_it_cannot_take(memory, call, named):
    with pytest.raises((ValueError, TypeError), match=named):
        call(SimulatedBroker(memory, NAME))
    assert memory.get(f"{SPACE}/broker", "book") is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"feed": 5}, "feed=5: has no symbols, bars"),
        ({"broker": None}, "broker=None: has no submit"),
        ({"swarm": "it"}, "swarm='it': has no decide"),
        ({"settings": {}}, r"settings=\{\}"),
    ],
)
def test_what_a_trader_is_made_of_is_checked_before_it_begins(memory, given, named):
    parts = {"feed": ReplayFeed(BARS), "swarm": Told({"TEST": [0.0]}), "settings": SMALL}
    parts["broker"] = SimulatedBroker(memory, NAME)
    with pytest.raises(TypeError, match=named):
        PaperTrader(memory, name=NAME, **{**parts, **given})
    assert memory.get(SPACE, "state") is None


def test_a_line_beyond_the_floats_is_not_told():
    watch = Watch("TEST", SMALL, 12, None)
    watch.add(replace(BARS, volume=np.full(len(BARS), 1.7e308)))
    assert "wyckoff" not in watch.features()


@pytest.mark.parametrize("name", ["", "a/b", "ä", 7])
def test_a_name_that_is_no_namespace_is_refused(memory, name):
    with pytest.raises(NamespaceError, match="name="):
        SimulatedBroker(memory, name)
    with pytest.raises(NamespaceError, match="name="):
        PaperTrader(memory, ReplayFeed(BARS), None, Told({"TEST": [0.0]}), name=name)


# --- the trader --------------------------------------------------------------


def test_the_equity_is_that_of_a_computation_by_hand(memory):
    weights = np.random.default_rng(4).uniform(-1, 1, len(BARS)).tolist()
    steps = list(told(memory, weights=weights, holding=3).run())
    assert [step.equity for step in steps] == pytest.approx(by_hand(BARS, weights, holding=3))
    kept = journal.equity(memory, SPACE)
    assert kept == [(int(BARS.times[n]), step.equity) for n, step in enumerate(steps)]


def test_several_symbols_have_equal_parts(memory):
    market = series(5, symbols=2)
    decides = Told({"S0": [1.0], "S1": [-1.0]})
    steps = list(trader(memory, market, memory.clock, decides=decides).run())
    last = {step.symbol: step for step in steps}
    assert {symbol: step.target for symbol, step in last.items()} == {"S0": 0.5, "S1": -0.5}
    shares = {symbol: step.position * step.close for symbol, step in last.items()}
    assert shares["S0"] == pytest.approx(0.5 * last["S0"].equity, rel=0.05)
    assert shares["S1"] == pytest.approx(-0.5 * last["S1"].equity, rel=0.05)


def test_fills_are_remembered_in_words(memory):
    list(told(memory, BARS.head(2)).run())
    (fill,) = memory.records(namespace=SPACE, filter=Filter(kind="fill"))
    assert fill.text.startswith("desk bought ")
    assert (fill.event_time, fill.symbol) == (BARS.closed_at(1), "TEST")


def test_a_position_that_is_there_is_not_ordered_again(memory):
    still = replace(BARS, **dict.fromkeys(("open", "high", "low", "close"), np.full(12, 50.0)))
    broker = lambda memory, name: SimulatedBroker(memory, name, fee=0.0, slippage=0.0)  # noqa: E731
    steps = list(told(memory, still, broker=broker).run())
    assert [step.order is not None for step in steps] == [True] + [False] * 11


def test_a_bar_that_comes_again_is_left_out(memory, caplog):
    made = told(memory)
    first = made.step(one(BARS, 0))
    assert made.step(one(BARS, 0)) is None
    assert made.skipped == {}
    assert first is not None
    assert not caplog.records


def test_a_bar_that_comes_again_with_other_prices_is_left_out_and_told(memory, caplog):
    made = told(memory)
    made.step(one(BARS, 0))
    changed = replace(one(BARS, 0), volume=one(BARS, 0).volume + 1.0)
    before = made.state
    assert made.step(changed) is None
    assert made.skipped == {"changed": 1}
    assert made.state == before
    assert "changed and left out" in caplog.text


def test_a_late_bar_is_left_out_and_told(memory, caplog):
    made = told(memory)
    made.step(one(BARS, 0))
    made.step(one(BARS, 2))
    before = made.state
    assert made.step(one(BARS, 1)) is None
    assert made.skipped == {"late": 1}
    assert made.state == before
    assert "late and left out" in caplog.text


def test_a_bar_is_late_after_a_later_close_of_another_symbol(memory):
    market = series(3, symbols=2)
    made = trader(memory, market, decides=Told({"S0": [0.0], "S1": [0.0]}))
    made.step(one(market[0], 1))
    assert made.step(one(market[1], 0)) is None
    assert made.step(one(market[1], 1)) is not None
    assert made.skipped == {"late": 1}


def test_a_bar_of_an_unknown_symbol_is_left_out_and_told(memory, caplog):
    made = told(memory)
    assert made.step(replace(one(BARS, 0), symbol="OTHER")) is None
    assert made.skipped == {"unknown": 1}
    assert "unknown and left out" in caplog.text


def test_an_order_waits_over_a_gap(memory):
    gappy = thinned(BARS, "TEST", [0, 5, 6])
    steps = list(told(memory, gappy).run())
    assert [len(step.fills) for step in steps] == [0, 1, 1]
    assert steps[1].fills[0].at == BARS.closed_at(5)
    assert [step.equity for step in steps] == pytest.approx(by_hand(gappy, [1.0] * 3))


def test_what_was_refused_is_ordered_again_at_the_next_close(memory, caplog):
    def refuse(order):
        if order.at < BARS.closed_at(2):
            msg = "no margin"
            raise OrderRefusedError(msg)
        return 1.0

    steps = list(told(memory, BARS.head(5), broker=answering(refuse)).run())
    assert [step.refused for step in steps] == ["no margin", "no margin", None, None, None]
    assert [bool(step.fills) for step in steps] == [False, False, False, True, True]
    refusals = list(memory.records(namespace=SPACE, filter=Filter(kind="refusal")))
    assert [found.event_time for found in refusals] == [BARS.closed_at(0), BARS.closed_at(1)]
    assert "no margin" in caplog.text


def test_the_rest_of_what_was_filled_in_part_is_ordered_anew(memory):
    steps = list(told(memory, broker=answering(lambda _: 0.5)).run())
    assert [step.equity for step in steps] == pytest.approx(by_hand(BARS, [1.0] * 12, share=0.5))
    assert steps[-1].position * steps[-1].close == pytest.approx(steps[-1].equity, rel=0.02)


def test_who_has_lost_everything_holds_nothing(memory):
    closes = np.array([100.0, 100.0, 250.0, 250.0, 250.0])
    columns = dict.fromkeys(("open", "high", "low", "close"), closes)
    bars = replace(BARS.head(5), **columns)
    steps = list(told(memory, bars, [-1.0]).run())
    assert steps[2].equity < 0.0
    assert steps[-1].position == 0.0


def test_the_later_one_of_two_traders_of_a_name_trades(memory):
    first = told(memory)
    first.step(one(BARS, 0))
    second = told(memory, weights=[0.0])
    with pytest.raises(ConflictError, match="another trader 'desk' has begun"):
        first.step(one(BARS, 1))
    assert second.step(one(BARS, 1)).weight == 0.0


def test_a_trader_that_is_overtaken_within_a_bar_writes_and_orders_nothing(memory):
    first = told(memory)
    decide = first._swarm.decide

    def overtaken(*arguments):
        told(memory)
        return decide(*arguments)

    first._swarm.decide = overtaken
    with pytest.raises(ConflictError, match="another trader 'desk' has begun"):
        first.step(one(BARS, 0))
    assert memory.get(f"{SPACE}/broker", "book") is None
    assert memory.keys(f"{SPACE}/bars")[0] == []


def test_traders_of_two_names_do_not_meet(memory):
    steps = []
    for name in ("one", "two"):
        feed, broker = ReplayFeed(BARS), SimulatedBroker(memory, name)
        decides = Told({"TEST": [1.0]})
        made = PaperTrader(memory, feed, broker, decides, name=name, settings=SMALL, lookback=None)
        steps.append([step.equity for step in made.run()])
    assert steps[0] == steps[1]


def test_a_trader_that_met_an_error_is_made_anew(memory):
    made = told(memory)
    decide = made._swarm.decide

    def killed(*_):
        raise KilledError

    made._swarm.decide = killed
    with pytest.raises(KilledError):
        made.step(one(BARS, 0))
    made._swarm.decide = decide
    with pytest.raises(StorageError, match="make it and its swarm anew"):
        made.step(one(BARS, 0))
    assert told(memory).step(one(BARS, 0)) is not None


@pytest.mark.parametrize("bar", [BARS, BARS.head(0), 100.0, None])
def test_what_is_no_single_bar_is_refused(memory, bar):
    with pytest.raises(ValueError, match="BarSeries of one bar"):
        told(memory).step(bar)


@pytest.mark.parametrize(
    ("change", "named"), [({"holding": 2}, "holding=2"), ({"symbol": "OTHER"}, "symbols=")]
)
def test_a_trader_goes_on_with_what_it_began_with(memory, change, named):
    told(memory)
    bars = replace(BARS, symbol=change.get("symbol", "TEST"))
    with pytest.raises(ValueError, match=named):
        told(memory, bars, holding=change.get("holding", 1))


# --- features ----------------------------------------------------------------


def watched(bars, settings, lookback=None):
    """Return what a watch tells of each bar."""
    watch = Watch(bars.symbol, settings, 2, lookback)
    for bar in range(len(bars)):
        watch.add(one(bars, bar))
        yield watch.features(), watch.regime


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("recovery", [1, 3])
def test_features_of_a_bounded_window_are_those_of_all_bars(seed, recovery):
    settings = replace(SMALL, recovery=recovery)
    bars = random_bars(60, seed)
    if seed % 2:  # prices that stand still, and bars without volume
        still = np.arange(60) % 7 > 3
        close = np.where(still, 100.0, bars.close)
        columns = {"open": close, "high": close * 1.001, "low": close * 0.999, "close": close}
        bars = replace(bars, **columns, volume=np.where(np.arange(60) % 3, bars.volume, 0.0))
    table = FeatureTable(bars, settings=settings)
    assert reach(settings) < 30
    for bar, (features, _) in enumerate(watched(bars, settings)):
        assert features == table.at(bar), bar


def test_a_window_that_is_a_bar_shorter_is_found_out():
    bars = random_bars(60, 2)
    table = FeatureTable(bars, settings=SMALL)

    def cut(bar):
        short = FeatureTable(bars.window(bar + 2 - reach(SMALL), bar + 1), settings=SMALL)
        return short.at(len(short) - 1)

    assert any(cut(bar)["markov"] != table.at(bar)["markov"] for bar in range(20, 60))


def test_the_usual_features_of_a_bounded_window_are_those_of_all_bars():
    settings = FeatureSettings()
    bars = load_sp500().head(1200)
    table = FeatureTable(bars, settings=settings)
    watch = Watch(bars.symbol, settings, 2, None)
    for bar in range(len(bars)):
        watch.add(one(bars, bar))
        if bar % 97 == 0 or bar > 1195:
            assert watch.features() == table.at(bar)
    assert len(watch.past) == reach(settings) == 506


def test_regimes_are_those_of_an_agent_that_saw_all_bars():
    bars = random_bars(80, 5)
    expected = RegimeDetectionAgent(lookback=40).predict(bars).labels
    found = [regime for _, regime in watched(bars, SMALL, 40)]
    assert found == [None if label is None else label.value for label in expected]


def test_a_watch_that_is_given_all_bars_at_once_tells_the_same():
    bars = random_bars(80, 5)
    watch = Watch(bars.symbol, SMALL, 2, 40)
    watch.add(bars)
    assert (watch.features(), watch.regime) == list(watched(bars, SMALL, 40))[-1]


def test_a_decision_that_is_there_is_not_made_again(memory):
    made = trader(memory, BARS, memory.clock, decides=Swarm(memory, holding=2))
    made.step(one(BARS, 0))
    count = memory.stats()["commits"]
    again = trader(memory, BARS, memory.clock, decides=Swarm(memory, holding=2))
    again._swarm.decide = None  # never asked
    again.state = replace(again.state, at=None, last={})
    again._watches["TEST"] = Watch("TEST", SMALL, 4, None)
    assert again.step(one(BARS, 0)).why
    assert memory.stats()["commits"] == count + 2
