"""Each agent on features written by hand, and what all of them remember."""

from datetime import timedelta

import numpy as np
import pytest

from builders import START, day
from markets import bars_of
from nt_memory import (
    AccessDeniedError,
    HedgeAgent,
    HedgeLimits,
    Ledger,
    LiquidityAgent,
    LiquidityLimits,
    ManualClock,
    MarkovAgent,
    MarkovLimits,
    MemoryAwareAgent,
    MemoryConfig,
    MemorySystem,
    Opinion,
    Outcome,
    SentimentAgent,
    SentimentLimits,
    Settlement,
    ShuffledLedger,
    Thresholds,
    VectorSpace,
    WyckoffAgent,
    WyckoffLimits,
)
from nt_memory.agents.evidence import Analogue
from nt_memory.agents.outcomes import decision_id
from nt_memory.clock import to_micros
from nt_memory.errors import ForgottenError, SettledError
from nt_memory.market import BarSeries
from trading import hedge, liquidity, markov, outcome, sentiment, wyckoff


def says(agent, features):
    made = agent.opinion("SPY", day(9), features)
    return made.signal, pytest.approx(made.confidence), made.event


# What each makes of the features


@pytest.mark.parametrize(
    ("gamma", "flow", "said"),
    [
        (-0.51, 0.31, ("long", 0.7, "short gamma")),
        (-0.5, 0.31, ("neutral", 0.4, None)),
        (-0.51, 0.3, ("neutral", 0.4, None)),
        (0.51, -0.31, ("short", 0.7, "long gamma")),
        (0.5, -0.31, ("neutral", 0.4, None)),
        (0.51, -0.3, ("neutral", 0.4, None)),
        (-0.9, -0.9, ("neutral", 0.4, None)),
        (0.9, 0.9, ("neutral", 0.4, None)),
    ],
)
def test_the_hedge_agent_goes_with_dealers_short_of_gamma(memory, gamma, flow, said):
    assert says(HedgeAgent(memory), hedge(gamma, flow)) == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"position": 1.11}, ("long", 0.55, "above value")),
        ({"position": 1.1}, ("neutral", 0.4, None)),
        ({"position": -0.11}, ("short", 0.55, "below value")),
        ({"position": -0.1}, ("neutral", 0.4, None)),
        ({"position": 2.0, "amihud": 2.01}, ("neutral", 0.3, "thin market")),
        ({"position": 2.0, "amihud": 2.0}, ("long", 0.55, "above value")),
        ({"position": 2.0, "kyle_lambda": 2.01}, ("neutral", 0.3, "thin market")),
        ({"position": 2.0, "kyle_lambda": 2.0}, ("long", 0.55, "above value")),
    ],
)
def test_the_liquidity_agent_leaves_the_value_area_where_it_is_not_thin(memory, told, said):
    assert says(LiquidityAgent(memory), liquidity(**told)) == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((0.5, 0.1), ("long", 0.5, "momentum")),
        ((0.49, 0.1), ("neutral", 0.4, None)),
        ((-0.5, -0.1), ("short", 0.5, "momentum")),
        ((1.0, -0.1), ("neutral", 0.4, None)),
        ((1.0, 0.0), ("neutral", 0.4, None)),
        ((1.5, 0.1), ("long", 0.6, "momentum")),
        ((-1.6, -0.1), ("short", 0.61, "strong momentum")),
        ((9.0, 0.1), ("long", 0.8, "strong momentum")),
        ((1.5, 0.1, 2.0), ("long", 0.6, "momentum")),
        ((1.5, 0.1, 2.01), ("long", 0.42, "momentum")),
    ],
)
def test_the_sentiment_agent_follows_momentum_that_the_trend_bears_out(memory, told, said):
    assert says(SentimentAgent(memory), sentiment(*told)) == said


@pytest.mark.parametrize(
    ("told", "events", "said"),
    [
        (-0.9, {"spring": True}, ("long", 0.7, "spring")),
        (0.9, {"upthrust": True}, ("short", 0.7, "upthrust")),
        (0.0, {"spring": True, "upthrust": True}, ("neutral", 0.4, None)),
        (0.2, {"spring": True, "upthrust": True}, ("long", 0.55, "accumulation")),
        (0.15, {}, ("long", 0.55, "accumulation")),
        (0.149, {}, ("neutral", 0.4, None)),
        (-0.15, {}, ("short", 0.55, "distribution")),
    ],
)
def test_the_wyckoff_agent_reads_events_before_flows(memory, told, events, said):
    assert says(WyckoffAgent(memory), wyckoff(told, **events)) == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((0.5, 0.375), ("long", 0.475, "after flat")),
        ((0.375, 0.5), ("short", 0.475, "after flat")),
        ((0.4, 0.31), ("neutral", 0.4, None)),
        ((0.5, 0.375, 30), ("long", 0.475, "after flat")),
        ((0.5, 0.375, 29), ("neutral", 0.4, None)),
        ((1.0, 0.0), ("long", 0.8, "after flat")),
    ],
)
def test_the_markov_agent_takes_the_side_that_followed_more_often(memory, told, said):
    assert says(MarkovAgent(memory), markov(*told)) == said


@pytest.mark.parametrize(
    "kind", [HedgeAgent, LiquidityAgent, SentimentAgent, WyckoffAgent, MarkovAgent]
)
def test_an_agent_that_is_told_nothing_has_nothing_to_say(memory, kind):
    agent = kind(memory)
    made = agent.act_with_memory("SPY", day(9), {})
    assert (made.signal, made.confidence) == ("neutral", 0.0)
    assert agent.perceive("SPY", day(9), {}) == []


# What they take note of


def test_illiquidity_and_strong_momentum_are_noted(memory):
    agent = LiquidityAgent(memory)
    features = {**liquidity(amihud=2.01), **sentiment(momentum=-1.51)}
    ids = agent.perceive("SPY", day(9), features)
    thin, momentum = (memory.get_record(id_) for id_ in ids)
    assert (thin.kind, thin.importance, thin.payload["event"]) == (
        "market_event",
        1.5,
        "illiquidity",
    )
    assert (momentum.kind, momentum.importance) == ("sentiment_extreme", 1.3)
    assert agent.perceive("SPY", day(8), {**liquidity(amihud=2.0), **sentiment(1.5)}) == []


def test_a_note_that_is_taken_again_is_the_same(memory):
    agent = LiquidityAgent(memory)
    first = agent.perceive("SPY", day(9), liquidity(amihud=3.0))
    assert agent.perceive("SPY", day(9), liquidity(amihud=3.0)) == first
    assert len(agent.memory.get_recent()) == 1


@pytest.mark.parametrize(
    ("gamma", "move", "noted"),
    [(-0.51, 2.01, True), (-0.51, -2.01, True), (-0.5, 9.0, False), (-0.9, 2.0, False)],
)
def test_a_squeeze_is_short_gamma_and_a_great_move(memory, gamma, move, noted):
    agent = HedgeAgent(memory)
    agent.perceive("SPY", day(9), hedge(gamma, 0.0, move))
    found = agent.memory.get_recent("market_event")
    assert [each.metadata["event"] for each in found] == ["gamma squeeze"] * noted


def test_more_than_two_squeezes_make_the_hedge_agent_careful(memory):
    agent = HedgeAgent(memory)
    squeeze = hedge(-0.9, 0.5, 3.0)
    for n in range(3):
        agent.perceive("SPY", day(n), squeeze)
        # The squeeze of the bar itself does not count yet.
        assert agent.opinion("SPY", day(n), squeeze).confidence == 0.7
    assert agent.opinion("SPY", day(3), squeeze).confidence == pytest.approx(0.56)
    assert agent.opinion("SPY", day(3), hedge()).confidence == pytest.approx(0.32)
    assert agent.opinion("QQQ", day(3), squeeze).confidence == 0.7
    assert agent.memory.get_recent("pattern") == []
    agent.perceive("SPY", day(3), hedge(-0.1))
    assert agent.memory.get_recent("pattern")[0].metadata["event"] == "recurring squeeze"
    # Of the past it says what it said.
    assert agent.opinion("SPY", day(2), squeeze).confidence == 0.7


def test_springs_and_upthrusts_are_noted(memory):
    agent = WyckoffAgent(memory)
    agent.perceive("SPY", day(8), wyckoff(0.1, spring=True))
    agent.perceive("SPY", day(9), wyckoff(0.1, upthrust=True))
    found = agent.memory.get_recent("pattern")
    assert [each.metadata["event"] for each in found] == ["upthrust", "spring"]
    assert found[0].content == "upthrust of the range 95 to 105"


# How the record moves them


def lived(memory, pnls, agent="wyckoff", event=None, symbol="SPY", start=0):
    for n, pnl in enumerate(pnls, start):
        more = {} if event is None else {"event": event}
        outcome(memory, agent, day(n / 4), pnl, symbol, f"{event}{symbol}{n}", **more)


@pytest.mark.parametrize(
    ("pnls", "factor", "rate"),
    [
        ([], 1.0, 0.5),
        ([-1.0] * 4, 1.0, 0.0),
        ([-1.0] * 5, 0.7, 0.0),
        ([1.0] * 5, 1.2, 1.0),
        ([1.0] * 2 + [-1.0] * 3, 1.0, 0.4),
        ([1.0] * 3 + [-1.0] * 2, 1.0, 0.6),
        ([1.0] * 3 + [-1.0] * 7, 0.7, 0.3),
        ([1.0] * 7 + [0.0] * 3, 1.2, 0.7),
        # The last ten count.
        ([1.0] * 20 + [-1.0] * 10, 0.7, 0.0),
    ],
)
def test_the_win_rate_of_the_last_ten_moves_the_confidence(memory, pnls, factor, rate):
    lived(memory, pnls)
    made = WyckoffAgent(memory).act_with_memory("SPY", day(9), wyckoff(0.2))
    assert made.confidence == pytest.approx(0.55 * factor)
    assert (made.context["factor"], made.context["win_rate"]) == (factor, rate)
    assert made.context["outcomes"] == min(len(pnls), 10)
    assert len(made.context["past_trades"]) == min(len(pnls), 5)


def test_how_events_of_a_kind_ended_moves_the_next_within_30_percent(memory):
    agent = WyckoffAgent(memory)
    lived(memory, [1.0] * 6, event="spring")
    lived(memory, [1.0, -1.0] * 5, event="upthrust", start=6)
    # The last ten are even, springs are good.
    assert agent.act_with_memory("SPY", day(9), wyckoff(spring=True)).context["factor"] == 1.2
    assert agent.act_with_memory("SPY", day(9), wyckoff(upthrust=True)).context["factor"] == 1.0
    lived(memory, [1.0] * 10, event="spring", start=17)
    assert agent.act_with_memory("SPY", day(9), wyckoff(spring=True)).context["factor"] == 1.3


def test_bad_records_take_no_more_than_30_percent(memory):
    lived(memory, [-1.0] * 10, event="spring")
    made = WyckoffAgent(memory).act_with_memory("SPY", day(9), wyckoff(spring=True))
    assert made.confidence == pytest.approx(0.7 * 0.7)


def test_a_confidence_stays_below_one(memory):
    lived(memory, [1.0] * 10)
    agent = WyckoffAgent(memory, limits=WyckoffLimits(flow_confidence=1.0))
    assert agent.act_with_memory("SPY", day(9), wyckoff(0.2)).confidence == 1.0


def test_a_symbol_never_seen_has_no_record(memory):
    lived(memory, [-1.0] * 10)
    made = WyckoffAgent(memory).act_with_memory("NEW", day(9), wyckoff(0.2))
    assert (made.confidence, made.context["win_rate"]) == (0.55, 0.5)
    assert made.context["past_trades"] == made.context["recalled"] == []


def test_outcomes_count_from_their_own_time_on(memory):
    agent = WyckoffAgent(memory)
    for n in range(5):
        outcome(memory, "wyckoff", day(5), -1.0, trade_id=str(n))
    before = agent.act_with_memory("SPY", day(5) - timedelta(microseconds=1), wyckoff(0.2))
    assert before.context["factor"] == 1.0
    assert agent.act_with_memory("SPY", day(5), wyckoff(0.2)).context["factor"] == 0.7


def test_a_decision_is_remembered_with_its_recall(memory):
    agent = WyckoffAgent(memory)
    agent.perceive("SPY", day(8), wyckoff(spring=True))
    made = agent.act_with_memory("SPY", day(9), wyckoff(spring=True), "CALM")
    assert made.context["recalled"] == ["spring of the range 95 to 105"]
    kept = memory.get_record(made.context["trade_id"])
    assert (kept.kind, kept.importance, kept.confidence, kept.regime) == (
        "signal",
        0.7,
        0.7,
        "CALM",
    )
    assert (kept.event_time, kept.known_at) == (day(9), day(9))
    assert kept.provenance.parents == (made.context["recall_id"],)
    assert memory.replay(made.context["recall_id"]).as_of == day(9)


def test_what_is_seen_at_a_bar_is_not_recalled_at_it(memory):
    agent = WyckoffAgent(memory)
    agent.perceive("SPY", day(9), wyckoff(spring=True))
    assert agent.act_with_memory("SPY", day(9), wyckoff(0.2)).context["recalled"] == []
    assert len(agent.act_with_memory("SPY", day(10), wyckoff(0.2)).context["recalled"]) == 1


def test_a_memory_without_texts_will_do(clock):
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=4)}, clock=clock)
    with MemorySystem(config) as memory:
        agent = WyckoffAgent(memory)
        agent.perceive("SPY", day(8), wyckoff(spring=True))
        made = agent.act_with_memory("SPY", day(9), wyckoff(0.2))
        assert made.context["recalled"] == ["spring of the range 95 to 105"]


@pytest.mark.parametrize("store_kind", ["native"])
def test_an_agent_lives_in_its_own_hands(memory):
    agent = WyckoffAgent(memory.agent("w1"))
    agent.perceive("SPY", day(8), wyckoff(spring=True))
    made = agent.act_with_memory("SPY", day(9), wyckoff(0.2))
    agent.remember_outcome("SPY", made.context["trade_id"], 0.5, 100.0, 100.5)
    assert agent.agent_id == "w1"
    assert agent.ledger.pnl(day(10)) == [0.5]
    settlement = Settlement(memory.agent("w1"), {"w1": agent.memory}, holding=2)
    agent.act_with_memory("SPY", day(1), wyckoff(0.2))
    assert settlement.settle(series()) == 1
    with pytest.raises(AccessDeniedError):
        WyckoffAgent(memory.agent("w1"), agent_id="w2").act_with_memory("SPY", day(9), {})


# What decisions led to


def series(symbol="SPY", bars=8):
    """Build daily bars from day 0 on: the n-th opens at 100 + n and closes at 100.5 + n."""
    opens = 100.0 + np.arange(bars)
    made = bars_of(opens, opens + 0.5)
    columns = {name: getattr(made, name) for name in ("open", "high", "low", "close", "volume")}
    times = to_micros(START) + 86_400_000_000 * np.arange(bars)
    return BarSeries(symbol=symbol, times=times, **columns)


def test_an_outcome_settles_its_decision(memory):
    agent = WyckoffAgent(memory)
    id_ = agent.act_with_memory("SPY", day(1), wyckoff(spring=True), "CALM").context["trade_id"]
    agent.remember_outcome("SPY", id_, -1.5, 100.0, 98.5, known_at=day(4))
    assert memory.get_record(id_, as_of=day(3)).outcome is None
    assert memory.get_record(id_).outcome.reward == -0.015
    [(row, pnl)] = agent.ledger.trades(day(9))
    assert (row.event, row.regime, row.known_at, pnl) == ("spring", "CALM", day(4), -1.5)
    [kept] = agent.memory.get_recent("outcome")
    assert kept.content == "loss of -1.50 % after spring"
    assert kept.score == 2.0
    assert {name: kept.metadata[name] for name in ("outcome", "entry", "exit")} == {
        "outcome": "loss",
        "entry": 100.0,
        "exit": 98.5,
    }


@pytest.mark.parametrize(("pnl", "score"), [(1.0, 1.0), (-1.0, 1.0), (1.01, 2.0), (-1.01, 2.0)])
def test_a_large_outcome_counts_twice(memory, pnl, score):
    agent = WyckoffAgent(memory)
    agent.remember_outcome("SPY", "elsewhere", pnl, 1.0, 1.0)
    assert agent.memory.get_recent("outcome")[0].score == score


def test_an_outcome_is_told_once(memory):
    agent = WyckoffAgent(memory)
    id_ = agent.act_with_memory("SPY", day(1), wyckoff(0.2)).context["trade_id"]
    agent.remember_outcome("SPY", id_, 0.5, 1.0, 1.0)
    with pytest.raises(SettledError, match="its outcome is there already"):
        agent.remember_outcome("SPY", id_, 0.7, 1.0, 1.0)
    assert agent.ledger.pnl(day(10)) == [0.5]
    settlement = Settlement(memory, {"wyckoff": agent.memory}, holding=2)
    assert settlement.settle(series()) == 0


def test_a_decision_that_was_settled_by_hand_has_its_outcome(memory):
    agent = WyckoffAgent(memory)
    id_ = agent.act_with_memory("SPY", day(1), wyckoff(0.2)).context["trade_id"]
    memory.settle(id_, Outcome(0.1, known_at=day(3)))
    with pytest.raises(SettledError):
        agent.remember_outcome("SPY", id_, 0.7, 1.0, 1.0)
    assert Settlement(memory, {"wyckoff": agent.memory}, holding=2).settle(series()) == 0


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"pnl": float("nan")}, "pnl=nan"),
        ({"entry_price": 0.0}, r"entry_price=0\.0: give a price above 0"),
        ({"exit_price": -1.0}, "exit_price="),
        ({"symbol": ""}, "symbol=''"),
        ({"symbol": "QQQ"}, "symbol='QQQ': .* is about 'SPY'"),
        ({"trade_id": ""}, "trade_id=''"),
        ({"known_at": day(1).replace(tzinfo=None)}, "known_at="),
        ({"known_at": day(0)}, "known"),
    ],
)
def test_a_bad_outcome_is_named_and_changes_nothing(memory, bad, named):
    agent = WyckoffAgent(memory)
    id_ = agent.act_with_memory("SPY", day(1), wyckoff(0.2)).context["trade_id"]
    good = {"symbol": "SPY", "trade_id": id_, "pnl": 1.0, "entry_price": 1.0, "exit_price": 1.0}
    with pytest.raises(ValueError, match=named):
        agent.remember_outcome(**{**good, **bad})
    assert agent.ledger.pnl(day(10)) == []
    assert memory.get_record(id_).outcome is None


def test_later_bars_settle_both_sides_at_the_right_prices(memory):
    agents = [WyckoffAgent(memory, agent_id=name) for name in ("w1", "w2", "w3")]
    for agent, flow in zip(agents, (0.2, -0.2, 0.0), strict=True):
        agent.act_with_memory("SPY", day(1), wyckoff(flow))
    stores = {agent.agent_id: agent.memory for agent in agents}
    settlement = Settlement(memory, stores, holding=3)
    assert settlement.settle(series(bars=4)) == 0
    assert settlement.settle(series(bars=5)) == 2
    assert settlement.settle(series(bars=5)) == 0
    # Entered at the open of day 2, 102, and left at the close of day 4, 104.5.
    move = 100.0 * (104.5 / 102.0 - 1.0)
    ledger = Ledger(memory)
    assert ledger.pnl(day(4), agent="w1") == pytest.approx([move])
    assert ledger.pnl(day(4), agent="w2") == pytest.approx([-move])
    assert ledger.pnl(day(9), agent="w3") == []
    assert ledger.pnl(day(4) - timedelta(microseconds=1)) == []
    [kept] = agents[0].memory.get_recent("outcome")
    assert (kept.metadata["entry"], kept.metadata["exit"]) == (102.0, 104.5)


def test_only_bars_of_the_symbol_and_the_time_settle(memory):
    agent = WyckoffAgent(memory)
    agent.act_with_memory("SPY", day(1), wyckoff(0.2))
    agent.act_with_memory("SPY", day(1.5), wyckoff(0.2))
    settlement = Settlement(memory, {"wyckoff": agent.memory}, holding=2)
    assert settlement.settle(series("QQQ")) == 0
    assert settlement.settle(series()) == 1
    assert settlement.settle(series().head(0)) == 0


def test_what_is_open_is_read_again_by_another_settlement(memory):
    agent = WyckoffAgent(memory)
    agent.act_with_memory("SPY", day(1), wyckoff(0.2))
    agent.act_with_memory("SPY", day(6), wyckoff(0.2))
    stores = {"wyckoff": agent.memory}
    assert Settlement(memory, stores, holding=2).settle(series()) == 1
    # Made again after it was settled, it does not open again.
    agent.act_with_memory("SPY", day(1), wyckoff(0.2))
    assert Settlement(memory, stores, holding=2).settle(series()) == 0
    assert Settlement(memory, stores, holding=2).settle(series(bars=9)) == 1


def test_what_was_hidden_is_settled_all_the_same(memory):
    agent = WyckoffAgent(memory)
    agent.act_with_memory("SPY", day(1), wyckoff(0.2))
    agent.memory.reset()
    stores = {"wyckoff": agent.memory}
    assert Settlement(memory, stores, holding=2).settle(series()) == 1
    assert Settlement(memory, stores, holding=2).settle(series()) == 0
    assert len(agent.ledger.pnl(day(10))) == 1


def test_what_changes_meanwhile_is_read_anew(memory):
    agent = WyckoffAgent(memory)
    settlement = Settlement(memory, {"wyckoff": agent.memory}, holding=2)
    made = [agent.act_with_memory("SPY", day(at), wyckoff(0.2)) for at in range(4)]
    ids = [act.context["trade_id"] for act in made]
    assert settlement.settle(series(bars=1)) == 0
    agent.remember_outcome("SPY", ids[0], 1.0, 1.0, 1.0)
    memory.settle(ids[1], Outcome(0.0))
    memory.forget(ids[2])
    assert settlement.settle(series()) == 1
    with pytest.raises(ForgottenError):
        agent.remember_outcome("SPY", ids[2], 1.0, 1.0, 1.0)


def test_an_outcome_that_was_told_before_its_decision_stands(memory):
    agent = WyckoffAgent(memory)
    agent.remember_outcome("SPY", decision_id("wyckoff", "SPY", day(1)), 1.0, 1.0, 1.0)
    agent.act_with_memory("SPY", day(1), wyckoff(0.2))
    assert Settlement(memory, {"wyckoff": agent.memory}, holding=2).settle(series()) == 0


def test_signals_of_other_hands_are_not_settled(memory):
    from nt_memory import TradingMemoryItem

    agent = WyckoffAgent(memory)
    id_ = agent.memory.add(TradingMemoryItem("signal", "buy", timestamp=day(1)))
    assert Settlement(memory, {"wyckoff": agent.memory}, holding=2).settle(series()) == 0
    agent.remember_outcome("SPY", id_, 1.0, 1.0, 1.0)
    assert agent.ledger.pnl(day(10)) == [1.0]


def test_ids_tell_agents_and_symbols_apart():
    long = "X" * 100
    pairs = [("a", "b.c"), ("a.b", "c"), ("a", "b/c"), ("a", "b%2Fc"), ("a", "ü")]
    pairs += [("a", long), ("a", long + "Y"), ("a", "b%2Ec")]
    ids = {decision_id(agent, symbol, day(1)) for agent, symbol in pairs}
    assert len(ids) == len(pairs)
    assert all(len(id_) < 100 for id_ in ids)


# What cannot be


@pytest.mark.parametrize(
    ("features", "named"),
    [
        ({"moon": {}}, r"features\['moon'\]: give some of hedge"),
        ({"sentiment": {"momentum": 1.0}}, r"features\['sentiment'\]\['volatility'\] is missing"),
        (sentiment(float("nan")), r"features\['sentiment'\]\['momentum'\]=nan"),
        (markov(up="much"), r"features\['markov'\]\['probability_up'\]='much'"),
        (markov(state=1), r"features\['markov'\]\['state'\]=1"),
        (liquidity(position=float("inf")), r"\['volume_profile'\]\['position'\]=inf"),
    ],
)
def test_bad_features_are_named_and_nothing_is_remembered(memory, features, named):
    agent = SentimentAgent(memory)
    for call in (agent.perceive, agent.act_with_memory):
        with pytest.raises(ValueError, match=named):
            call("SPY", day(9), features)
    assert agent.memory.get_recent() == []


@pytest.mark.parametrize("features", [None, [1], {"sentiment": 5}])
def test_features_are_mappings(memory, features):
    with pytest.raises(TypeError, match="features"):
        SentimentAgent(memory).act_with_memory("SPY", day(9), features)


@pytest.mark.parametrize(
    ("symbol", "at", "named"),
    [
        ("", day(9), "symbol=''"),
        (5, day(9), "symbol=5"),
        ("SPY", day(9).replace(tzinfo=None), "bar_time"),
    ],
)
def test_a_bad_symbol_or_time_is_named(memory, symbol, at, named):
    agent = SentimentAgent(memory)
    for call in (agent.perceive, agent.act_with_memory):
        with pytest.raises(ValueError, match=named):
            call(symbol, at, sentiment(2.0))
    assert agent.memory.get_recent() == []


class Says(MemoryAwareAgent):
    """Says what it is told to."""

    name = "says"
    said = None

    def opinion(self, symbol, bar_time, features):
        return self.said


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (None, "opinion=None: return an Opinion"),
        (Opinion("up", 0.5, "why"), "signal='up'"),
        (Opinion("long", 1.1, "why"), r"confidence=1\.1"),
        (Opinion("long", float("nan"), "why"), "confidence=nan"),
        (Opinion("long", 0.5, ""), "why=''"),
    ],
)
def test_a_bad_opinion_is_named(memory, said, named):
    agent = Says(memory)
    agent.said = said
    with pytest.raises((ValueError, TypeError), match=named):
        agent.act_with_memory("SPY", day(9), {})


def test_a_factor_of_ones_own_stays_within_the_bound(memory):
    class Boastful(WyckoffAgent):
        def factor(self, base, outcomes, bar_time, symbol):
            return 2.0

    with pytest.raises(ValueError, match=r"factor=2\.0"):
        Boastful(memory).act_with_memory("SPY", day(9), wyckoff(0.2))


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (Thresholds, {"fewest": 0}),
        (Thresholds, {"fewest": 11}),
        (Thresholds, {"record": 2.5}),
        (Thresholds, {"poor": 0.7}),
        (Thresholds, {"poor_factor": 0.5}),
        (Thresholds, {"good_factor": 1.5}),
        (Thresholds, {"illiquidity": float("nan")}),
        (HedgeLimits, {"gamma": 1.5}),
        (HedgeLimits, {"squeezes": 0}),
        (LiquidityLimits, {"confidence": 2.0}),
        (SentimentLimits, {"wild_factor": -0.1}),
        (WyckoffLimits, {"event_score": -1.0}),
        (MarkovLimits, {"samples": 0}),
    ],
)
def test_a_bad_limit_is_named(kind, bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
        kind(**bad)


@pytest.mark.parametrize(
    "bad", [{"limits": HedgeLimits()}, {"thresholds": {}}, {"ledger": "swarm"}]
)
def test_a_setting_of_another_kind_is_named(memory, bad):
    with pytest.raises(TypeError, match=f"{next(iter(bad))}="):
        WyckoffAgent(memory, **bad)


@pytest.mark.parametrize(
    "bad", [{"holding": 0}, {"holding": True}, {"large_pnl": {"a": -1.0}, "holding": 1}]
)
def test_a_bad_settlement_is_named(memory, bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
        Settlement(memory, {}, **bad)


def test_a_placebo_is_told_other_outcomes(memory):
    for n in range(20):
        outcome(memory, "wyckoff", day(n / 10), 1.0, trade_id=f"w{n}")
        outcome(memory, "markov", day(n / 10), -1.0, trade_id=f"m{n}")
    agent = WyckoffAgent(memory, ledger=ShuffledLedger(memory, seed=1))
    assert agent.act_with_memory("SPY", day(9), wyckoff(0.2)).context["win_rate"] < 1.0
    plain = WyckoffAgent(memory, ledger=Ledger(memory))
    assert plain.act_with_memory("SPY", day(9), wyckoff(0.2)).context["win_rate"] == 1.0


def test_bars_may_lie_after_the_clock(open_on):
    with open_on(ManualClock(day(0))) as memory:
        agent = WyckoffAgent(memory)
        agent.act_with_memory("SPY", day(1), wyckoff(0.2))
        assert Settlement(memory, {"wyckoff": agent.memory}, holding=2).settle(series()) == 1


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"event": 5}, "event=5"),
        ({"recall_id": ""}, "recall_id=''"),
        ({"precedents": (1,)}, r"precedents=\(1,\)"),
        ({"precedents": (Analogue("a", day(1), "near", 0.1),)}, "precedents: similarity="),
        ({"precedents": 5}, "precedents=5"),
    ],
)
def test_what_an_opinion_stands_on_is_checked(memory, said, named):
    class Odd(MemoryAwareAgent):
        def opinion(self, symbol, bar_time, features):
            return Opinion("long", 0.5, "it rose", **said)

    with pytest.raises((ValueError, TypeError), match=named):
        Odd(memory).act_with_memory("SPY", day(1), {})


def test_what_is_no_note_is_refused(memory):
    class Odd(HedgeAgent):
        def notable(self, symbol, bar_time, features):
            return ["it rose"]

    with pytest.raises(TypeError, match="notable="):
        Odd(memory).perceive("SPY", day(1), {})


def test_what_a_settlement_is_made_of_is_checked(memory):
    with pytest.raises(TypeError, match=r"stores..a..=5: give a TradingMemoryStore"):
        Settlement(memory, {"a": 5}, holding=2)
    with pytest.raises(TypeError, match="past='it'"):
        Settlement(memory, {}, holding=2).settle("it")


def test_half_a_character_is_no_symbol(memory):
    with pytest.raises(ValueError, match="symbol="):
        HedgeAgent(memory).act_with_memory("\ud800", day(1), {})
