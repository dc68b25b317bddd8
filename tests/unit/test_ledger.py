"""Ledgers: what came of decisions, as known at a time."""

import numpy as np
import pytest

from builders import day
from nt_memory import AccessDeniedError, Ledger, Record, ShuffledLedger, TradingMemoryItem
from nt_memory.agents.trading_memory import TradingMemoryStore
from trading import outcome


def test_outcomes_come_in_the_order_in_which_they_became_known(memory):
    for n, at in enumerate([3, 1, 2]):
        outcome(memory, "hedge", day(at), float(at), trade_id=str(n))
    ledger = Ledger(memory)
    assert ledger.pnl(day(10)) == [1.0, 2.0, 3.0]
    assert ledger.pnl(day(10), last=2) == [2.0, 3.0]
    assert ledger.pnl(day(10), last=0) == []
    assert ledger.pnl(day(2)) == [1.0, 2.0]


def test_an_outcome_counts_from_its_own_time_on_inclusive(memory):
    outcome(memory, "hedge", day(5))
    ledger = Ledger(memory)
    assert [len(ledger.pnl(day(at))) for at in (4, 5, 4, 6)] == [0, 1, 0, 1]


def test_what_is_written_late_takes_its_place(memory):
    ledger = Ledger(memory)
    outcome(memory, "hedge", day(5), 5.0, trade_id="b")
    assert ledger.pnl(day(9)) == [5.0]
    outcome(memory, "hedge", day(2), 2.0, trade_id="c")
    outcome(memory, "hedge", day(5), 4.0, trade_id="a")
    assert ledger.pnl(day(9)) == [2.0, 4.0, 5.0]


def test_a_ledger_can_tell_what_was_held_then(memory):
    outcome(memory, "hedge", day(5), 5.0, trade_id="b")
    commit = memory.stats()["commits"]
    outcome(memory, "hedge", day(2), 2.0, trade_id="c")
    assert Ledger(memory, recorded_by=commit).pnl(day(9)) == [5.0]


def test_more_new_outcomes_than_are_looked_at_are_all_told(memory):
    ledger = Ledger(memory)
    assert ledger.pnl(day(9)) == []
    for n in range(150):
        outcome(memory, "hedge", day(n / 50), float(n), trade_id=f"{n:03}")
    assert ledger.pnl(day(9)) == [float(n) for n in range(150)]


def test_outcomes_are_told_by_agent_symbol_regime_and_event(memory):
    outcome(memory, "hedge", day(1), 1.0, "SPY", "a", "CALM", event="squeeze")
    outcome(memory, "markov", day(2), 2.0, "QQQ", "b", "WILD")
    ledger = Ledger(memory)
    assert ledger.pnl(day(9), agent="markov") == [2.0]
    assert ledger.pnl(day(9), symbol="SPY", regime="CALM") == [1.0]
    assert ledger.pnl(day(9), event="squeeze") == [1.0]
    assert ledger.pnl(day(9), event=None) == [2.0]
    assert ledger.pnl(day(9), symbol="IWM") == []
    [(row, pnl)] = ledger.trades(day(9), agent="hedge")
    assert (row.trade_id, row.symbol, row.known_at, pnl) == ("a", "SPY", day(1), 1.0)


def test_a_ledger_at_rest_tells_one_time_as_it_was(memory):
    outcome(memory, "hedge", day(2), 2.0, trade_id="a")
    outcome(memory, "hedge", day(5), 5.0, trade_id="b")
    ledger = Ledger(memory)
    with ledger.resting(day(9)):
        outcome(memory, "hedge", day(6), 6.0, trade_id="c")
        assert ledger.pnl(day(9)) == [2.0, 5.0]
        # Another time is read, and the one at rest again after it.
        assert ledger.pnl(day(3)) == [2.0]
        assert ledger.pnl(day(9)) == [2.0, 5.0, 6.0]
    with pytest.raises(ValueError, match="as_of"), ledger.resting(day(9).replace(tzinfo=None)):
        pass


def test_notes_that_are_called_outcomes_are_none(memory):
    store = TradingMemoryStore(memory, agent_id="hedge")
    store.add(TradingMemoryItem("outcome", "went well", timestamp=day(1)))
    store.add(TradingMemoryItem("outcome", "as usual", metadata={"pnl": "?"}, timestamp=day(1)))
    store.add(TradingMemoryItem("outcome", "by hand", metadata={"pnl": 3}, timestamp=day(1)))
    assert Ledger(memory).pnl(day(9)) == [3.0]


def test_what_a_reset_has_hidden_is_told_of_earlier_times_alone(memory, clock):
    outcome(memory, "hedge", day(5), 5.0)
    ledger = Ledger(memory)
    assert ledger.pnl(day(10)) == [5.0]
    TradingMemoryStore(memory, agent_id="hedge").reset()
    clock.set(day(11))
    assert ledger.pnl(day(11)) == []
    assert ledger.pnl(day(9)) == [5.0]


def test_what_was_forgotten_is_told_no_more(memory):
    id_ = outcome(memory, "hedge", day(5), 5.0)
    ledger = Ledger(memory)
    assert ledger.pnl(day(9)) == [5.0]
    memory.forget(id_)
    assert ledger.pnl(day(9)) == []


@pytest.mark.parametrize("store_kind", ["native"])
def test_an_agent_reads_its_own_outcomes_and_no_others(memory):
    outcome(memory, "hedge", day(5), 5.0)
    outcome(memory, "markov", day(5), 7.0, trade_id="m")
    hedge = memory.agent("hedge")
    assert Ledger(hedge, "swarm/hedge/trading").pnl(day(9)) == [5.0]
    assert Ledger(hedge).pnl(day(9)) == [5.0]
    with pytest.raises(AccessDeniedError):
        Ledger(hedge, "swarm/markov/trading").pnl(day(9))


def test_a_shuffled_ledger_changes_who_and_never_what(memory):
    for n in range(40):
        outcome(memory, "hedge", day(n / 10), float(n), trade_id=f"{n:02}")
    plain, shuffled = Ledger(memory), ShuffledLedger(memory, seed=3)
    for at in (0, 1, 3, 2, 4):
        told, mixed = plain.trades(day(at)), shuffled.trades(day(at))
        assert [row for row, _ in told] == [row for row, _ in mixed]
        assert sorted(pnl for _, pnl in told) == sorted(pnl for _, pnl in mixed)
    assert shuffled.pnl(day(4)) != plain.pnl(day(4))
    assert ShuffledLedger(memory, seed=3).pnl(day(4)) == shuffled.pnl(day(4))
    assert ShuffledLedger(memory, seed=4).pnl(day(4)) != shuffled.pnl(day(4))


@pytest.mark.parametrize("store_kind", ["native"])
def test_each_outcome_is_as_likely_to_be_told_of_each_decision(memory):
    for n in range(4):
        outcome(memory, "hedge", day(n), float(n), trade_id=str(n))
    counts = np.zeros((4, 4))
    for seed in range(2_000):
        for place, pnl in enumerate(ShuffledLedger(memory, seed=seed).pnl(day(9))):
            counts[place, int(pnl)] += 1
    # Six standard deviations of 2,000 draws of 1/4.
    assert abs(counts - 500.0).max() < 6.0 * (2_000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"last": -1}, "last=-1"),
        ({"last": 1.5}, r"last=1\.5"),
        ({"last": True}, "last=True"),
        ({"sector": "tech"}, "sector='tech': give some of agent, symbol"),
    ],
)
def test_a_bad_question_is_named(memory, bad, named):
    with pytest.raises(ValueError, match=named):
        Ledger(memory).pnl(day(1), **bad)


def test_a_time_without_a_zone_is_refused(memory):
    with pytest.raises(ValueError, match="as_of"):
        Ledger(memory).pnl(day(1).replace(tzinfo=None))


@pytest.mark.parametrize("seed", [-1, 1.5, True, "x"])
def test_a_seed_is_a_whole_number(memory, seed):
    with pytest.raises(ValueError, match="seed="):
        ShuffledLedger(memory, seed=seed)


@pytest.mark.parametrize(
    "payload", [{"direction": "up"}, {"decided_at": 2**62}, {"event": [1]}, {"direction": {}}, []]
)
def test_what_somebody_else_wrote_as_an_outcome_stops_no_ledger(memory, payload):
    fields = {"namespace": "swarm/x/trading", "kind": "outcome", "event_time": day(1)}
    memory.remember(Record(**fields, attributes={"pnl": 2.0}, payload=payload))
    ((trade, pnl),) = Ledger(memory).trades(day(2))
    assert (trade.event, trade.decided_at, trade.direction, pnl) == (None, None, 0.0, 2.0)
