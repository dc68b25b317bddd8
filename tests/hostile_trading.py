"""Targets of hostile input: the trading agents, their limits, their swarm and what guards it."""

import json
from contextlib import suppress
from datetime import timedelta

import numpy as np

import trading
from hostile import START, changed, name_, value, with_bad_arguments, with_bad_fields
from hostile_bars import BAR_TARGETS, hostile_bars, scratch
from hostile_markets import MARKET_TARGETS
from nt_memory import (
    AnalogueAgent,
    AnalogueLimits,
    BarSeries,
    Composer,
    HedgeAgent,
    HedgeLimits,
    Ledger,
    LiquidityAgent,
    LiquidityLimits,
    MarkovAgent,
    MarkovLimits,
    MemoryAwareAgent,
    NtMemoryError,
    Opinion,
    Record,
    RiskGuard,
    RiskLimits,
    SentimentAgent,
    SentimentLimits,
    Settlement,
    ShuffledLedger,
    Swarm,
    Thresholds,
    TradingMemoryItem,
    TradingMemoryStore,
    WyckoffAgent,
    WyckoffLimits,
)
from nt_memory.agents.evidence import Analogue
from nt_memory.clock import to_micros

LIMITS = {
    HedgeAgent: HedgeLimits,
    LiquidityAgent: LiquidityLimits,
    SentimentAgent: SentimentLimits,
    WyckoffAgent: WyckoffLimits,
    MarkovAgent: MarkovLimits,
    AnalogueAgent: AnalogueLimits,
}
ITEM = {"kind": "trade", "content": "it rose", "metadata": {"a": 1}, "timestamp": START}
RESULT = ("a.SPY.1", 1.0, 100.0, 101.0)


def everything(rng):
    """Tell all groups of a bar."""
    told = trading.everything(rng.randrange(9), rng.randrange(9))
    return {**told, "analogue": {"embedding": [rng.random() for _ in range(4)]}}


def hostile_features(rng):
    """Tell all groups of a bar, and something hostile among them."""
    told = everything(rng)
    group = rng.choice([*told, "analogue"])
    within = rng.choice([*told[group], name_(rng)])
    inner = {**told[group], within: value(rng)}
    return rng.choice([{**told, group: inner}, {**told, name_(rng): value(rng)}, value(rng)])


def moment(rng):
    """Return a time at which there was a bar."""
    return START - timedelta(days=rng.randrange(1, 2000))


def bars_at(at, symbol):
    """Return three bars, the last of which closes at a time."""
    made = trading.market(3, 1, symbol)
    columns = {name: getattr(made, name) for name in ("open", "high", "low", "close", "volume")}
    times = to_micros(at) + 86_400_000_000 * np.arange(-2, 1)
    return BarSeries(symbol, times, **columns)


def prepare_trading(memory):
    """Have decisions and outcomes, some of a regime, and states whose outcome is known."""
    agent = MarkovAgent(memory, agent_id="veteran")
    analogue = AnalogueAgent(memory, agent_id="old")
    for day in range(12):
        at = START - timedelta(days=3000 - day)
        act = agent.act_with_memory("SPY", at, trading.markov(0.6, 0.2), "QUIET")
        known_at = at + timedelta(hours=1)
        agent.remember_outcome(
            "SPY", act.context["trade_id"], day - 5.0, 1.0, 2.0, known_at=known_at
        )
        told = {"analogue": {"embedding": [1.0, float(day), 0.0, -1.0]}}
        (id_,) = analogue.perceive("SPY", at, told)
        memory.settle(id_, {"reward": 0.01 * (day - 5)}, known_at)
    for kind in (HedgeAgent, LiquidityAgent):
        kind(memory).act_with_memory("SPY", START - timedelta(days=2900), {})


def items(memory, rng):
    store = TradingMemoryStore(memory, agent_id="items", max_items=20)
    made = with_bad_fields(rng, TradingMemoryItem, **ITEM)
    if rng.random() < 0.3:
        TradingMemoryItem.from_json({**made.to_json(), name_(rng): value(rng)})
    store.add(rng.choice([made] * 9 + [value(rng)]))
    for item in store.get_recent(n=5):
        TradingMemoryItem.from_json(item.to_json())


def item_stores(memory, rng):
    usual = {"agent_id": "stores", "half_life": 60.0, "max_items": 5}
    bad = {rng.choice(list(usual)): value(rng)} if rng.random() < 0.3 else {}
    store = TradingMemoryStore(memory, **{**usual, **bad})
    name, *given = rng.choice(
        [
            ("add", TradingMemoryItem("trade", "it rose")),
            ("add_many", [TradingMemoryItem("trade", "it rose")] * 3),
            ("search", "words", "trade", "SPY", 5),
            ("get_recent", "trade", "SPY", 5),
            ("cleanup", 0.1),
            ("summarize", "SPY", 24.0),
            ("save", a_path(rng)),
            ("load", a_path(rng)),
        ]
    )
    if name in {"add_many", "save", "load"} or bad:
        getattr(store, name)(*given)
    else:
        with_bad_arguments(rng, getattr(store, name), *given)


def a_path(rng):
    """Return what is no path, or that of a file of one's own: nothing else may be written to."""
    made, own = value(rng), scratch("saved")
    own.write_bytes(b"")
    return own if isinstance(made, str) else made


def item_files(memory, rng):
    rows = [TradingMemoryItem(**{**ITEM, "content": f"it rose {n}"}).to_json() for n in range(3)]
    if rng.random() < 0.5:
        row = rng.choice(rows)
        more = [*row, "x"]
        row[rng.choice(more)] = rng.choice([1, -1e300, "", [], {}, {"a": {}}, [[]] * 9, "2024", 0])
    text = "\n".join(map(json.dumps, rows)).encode()
    path = scratch("items")
    path.write_bytes(rng.choice([text, changed(rng, text)]))
    try:
        TradingMemoryStore(memory, agent_id="files", max_items=50).load(path)
    finally:
        path.unlink()


def limits(memory, rng):
    kind = rng.choice(list(LIMITS))
    made = with_bad_fields(rng, rng.choice([LIMITS[kind], Thresholds]))
    given = {"thresholds": made} if isinstance(made, Thresholds) else {"limits": made}
    agent = kind(memory, agent_id="limits", **given)
    agent.act_with_memory("SPY", moment(rng), everything(rng))


def arguments_of_agents(memory, rng):
    ledger = Ledger(memory)
    usual = {"agent_id": "x", "half_life": 60.0, "thresholds": None, "ledger": ledger}
    names = [*usual, "limits"]
    bad = {name: value(rng) for name in rng.sample(names, rng.choice([1, 1, 2]))}
    agent = rng.choice(list(LIMITS))(memory, **{**usual, **bad})
    agent.act_with_memory("SPY", moment(rng), everything(rng))


class Rubbish(MemoryAwareAgent):
    """Says and notes whatever comes."""

    name = "rubbish"
    rng = None

    def opinion(self, symbol, bar_time, features):
        rng = self.rng
        usual = {"signal": "long", "confidence": 0.5, "why": "it rose", "event": "spring"}
        seen = (Analogue("a", START, 0.5, 0.1),)
        if rng.random() < 0.3:
            seen = (with_bad_fields(rng, Analogue, id="a", at=START, similarity=0.5, reward=0.1),)
        made = with_bad_fields(rng, Opinion, **usual, recall_id=None, precedents=seen)
        return rng.choice([made] * 9 + [value(rng), Opinion("long", 0.5, "it rose")])

    def notable(self, symbol, bar_time, features):
        rng = self.rng
        item = TradingMemoryItem(**{**ITEM, "metadata": {name_(rng): value(rng)}})
        return rng.choice([[], [item], [item, item], [value(rng)], value(rng)])

    def factor(self, base, outcomes, bar_time, symbol):
        usual = super().factor(base, outcomes, bar_time, symbol)
        return self.rng.choice([usual] * 5 + [value(self.rng)])


def opinions(memory, rng):
    agent = Rubbish(memory)
    agent.rng = rng
    at = moment(rng)
    agent.act_with_memory("SPY", at, everything(rng))
    swarm = Swarm(memory, [agent])
    made = swarm.decide(bars_at(at, f"O{rng.random()}"), everything(rng))
    assert made == swarm.decided(made.symbol, at)


def calls_of_agents(memory, rng):
    kind = rng.choice([*LIMITS, Rubbish])
    agent = kind(memory)
    agent.rng = rng
    at, told = moment(rng), rng.choice([hostile_features, everything])(rng)
    name, *usual = rng.choice(
        [
            ("perceive", "SPY", at, told),
            ("act_with_memory", "SPY", at, told, "QUIET"),
            ("think", "SPY", at, told, None),
            ("notes", "SPY", at, told),
            ("recall", "SPY", "it rose", 3),
            ("remember_outcome", "SPY", f"own.{rng.random()}", *RESULT[1:]),
        ]
    )
    call = getattr(agent, name)
    if told is usual[-1] and rng.random() < 0.5:
        call(*usual)
    else:
        with_bad_arguments(rng, call, *usual)


def analogues(memory, rng):
    agent = AnalogueAgent(
        memory, agent_id="old", limits=AnalogueLimits(top_k=rng.choice([2, 5, 12]))
    )
    numbers = [0.0, -1.0, 1e300, 5e-324, 1e38, float("nan"), 10**400]
    embedding = rng.choice([[rng.choice(numbers) for _ in range(4)], value(rng), np.zeros(4)])
    told = {"analogue": {"embedding": embedding}}
    name = rng.choice(["perceive", "act_with_memory"])
    getattr(agent, name)("SPY", START - timedelta(days=rng.randrange(2980)), told)


def swarms(memory, rng):
    usual = {"agents": [MarkovAgent, SentimentAgent], "holding": 2, "ledger": Ledger(memory)}
    usual |= {"composer": Composer(), "guard": RiskGuard(), "bench": 3}
    bad = {rng.choice(list(usual)): value(rng)} if rng.random() < 0.5 else {}
    rubbish = Rubbish(memory)
    rubbish.rng = rng
    made = {**usual, "agents": [*usual["agents"], rubbish], **bad}
    swarm = Swarm(memory, **made)
    # Of a symbol of its own: what the swarm has settled before it refuses is no defect.
    past = hostile_bars(rng, f"S{rng.random()}")
    told = rng.choice([hostile_features, everything])(rng)
    name, *given = rng.choice(
        [("decide", past, told, "QUIET"), ("settle", past), ("decided", past.symbol, START)]
    )
    if rng.random() < 0.5 or bad:
        swarm.decide(past, told, "QUIET")
    else:
        with_bad_arguments(rng, getattr(swarm, name), *given)
    if len(past):
        swarm.decided(past.symbol, past.closed_at(-1))


def composers(memory, rng):
    usual = {"prior": 20.0, "fewest": 5, "window": 100, "threshold": 0.1, "top": 1}
    bad = {name: value(rng) for name in rng.sample(list(usual), rng.choice([0, 1, 2]))}
    composer = Composer(rng.choice([Ledger(memory)] * 5 + [None, value(rng)]), **{**usual, **bad})
    votes = [("long", 0.5, "veteran"), ["short", 0.5, "b", 1.2]]
    votes = rng.choice([votes, [*votes, with_bad(rng, "long", 0.5, "c", 1.0)], value(rng)])
    told = {"symbol": "SPY", "regime": "QUIET", "at": START}
    told |= {rng.choice(list(told)): value(rng)} if rng.random() < 0.5 else {}
    if rng.random() < 0.6:
        composer.decide(votes, **told)
    else:
        with_bad_arguments(rng, composer.best, ["veteran", "b"], 1)
        composer.records(rng.choice([["veteran"], value(rng)]), **told)


def with_bad(rng, *given):
    """Return values as a list, one of them hostile."""
    found = list(given)
    found[rng.randrange(len(found))] = value(rng)
    return found


def guards(memory, rng):
    name = rng.choice(["guard", value(rng)])
    if rng.random() < 0.3:
        limit = with_bad_fields(rng, RiskLimits)
    else:
        limit = rng.choice([None, RiskLimits(losses=1, pause=rng.choice([0, 60, 4e15]))])
    guard = RiskGuard(
        rng.choice([memory, memory, None]),
        name=name,
        limits=rng.choice([limit] * 9 + [value(rng)]),
    )
    call, *usual = rng.choice([("outcome", -1.0, START), ("exposure", START), ("reset", START)])
    if call != "outcome":
        with_bad_arguments(rng, getattr(guard, call), *usual)
    else:
        equity, told = rng.choice([None, 1.0, value(rng)]), rng.choice([None, value(rng)])
        given = rng.choice([usual, with_bad(rng, *usual)])
        guard.outcome(*given, equity=equity, told=told)
    again = RiskGuard(memory, name=name)
    assert 0.0 <= again.exposure(START) <= 1.0


def guard_rows(memory, rng):
    RiskGuard(memory, name="row").outcome(1.0, START)
    row = memory.get("shared/risk", "row")
    memory.put("shared/risk", "bad", changed(rng, row))
    with suppress(NtMemoryError, ValueError, TypeError):
        RiskGuard(memory, name="bad").exposure(START)


def ledgers(memory, rng):
    seed = rng.choice([0, value(rng)])
    name, bound = rng.choice(["swarm", value(rng)]), rng.choice([None, 10**6, value(rng)])
    ledger = rng.choice(
        [
            lambda: Ledger(memory, name, recorded_by=bound),
            lambda: ShuffledLedger(memory, name, seed=seed, recorded_by=bound),
            lambda: Ledger(memory),
        ]
    )()
    call = rng.choice([ledger.pnl, ledger.trades])
    of = {name: value(rng) for name in rng.sample(["agent", "symbol", "event", "x"], 1)}
    call(rng.choice([START, value(rng)]), last=rng.choice([None, 5, value(rng)]), **of)
    with ledger.resting(rng.choice([START, value(rng)])):
        ledger.pnl(START)


def foreign_outcomes(memory, rng):
    payload = {"trade_id": "t", "event": "spring", "direction": 1.0, "decided_at": 0}
    payload = rng.choice([{**payload, rng.choice(list(payload)): value(rng)}, value(rng)])
    attributes = {"pnl": rng.choice([1.0, -1e308, "1", value(rng)])}
    namespace = f"swarm/foreign{rng.randrange(9)}/trading"
    fields = {"namespace": namespace, "kind": "outcome", "event_time": START}
    memory.remember(Record(**fields, payload=payload, attributes=attributes))
    try:
        Ledger(memory, namespace).trades(START)
        Ledger(memory, namespace).trades(START, event="spring")
    except Exception as error:
        msg = "what somebody else wrote stops the ledger"
        raise AssertionError(msg) from error


def settlements(memory, rng):
    store = TradingMemoryStore(memory, agent_id="settled")
    stores = rng.choice([{"settled": store}] * 4 + [{name_(rng): value(rng)}, value(rng)])
    pnl = rng.choice([None, {"settled": 1.0}, {"settled": value(rng)}, value(rng)])
    holding = rng.choice([1, 2, value(rng)])
    settlement = Settlement(memory, stores, holding=holding, large_pnl=pnl)
    settlement.settle(rng.choice([hostile_bars(rng, "SPY"), value(rng)]))


TRADING_TARGETS = [
    *(items, item_stores, item_files, limits, arguments_of_agents, opinions, calls_of_agents),
    *(analogues, swarms, composers, guards, guard_rows, ledgers, foreign_outcomes, settlements),
    *BAR_TARGETS,
    *MARKET_TARGETS,
]
