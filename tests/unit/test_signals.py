"""Signals between agents, and what became of them."""

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from builders import day
from nt_memory import (
    AgentNotFoundError,
    AgentRegistry,
    MemorySystem,
    MultiAgentCoordinator,
    NamespaceError,
    Processing,
    SerializationError,
    Signal,
    SignalError,
)
from nt_memory._values import unpack

PENDING = Processing()


@pytest.fixture
def signals(memory):
    """A coordinator of the agents risk and trade."""
    for agent in ("risk", "trade"):
        AgentRegistry(memory).register(agent)
    return MultiAgentCoordinator(memory)


def signal(**fields):
    return Signal(
        **{
            "signal_id": "s",
            "signal_type": "WHALE_ACTIVITY",
            "source_agent": "hunter",
            "target_agents": ["risk", "trade"],
            "severity": "high",
            "confidence": 0.85,
            "data": {"whale_count": 5},
            "context": {"volatility": "high"},
            "recommended_action": "MONITOR_CLOSELY",
            **fields,
        }
    )


def ids(found):
    return [one.signal_id for one in found]


def test_a_target_reads_the_signal(signals):
    signals.publish_signal(signal())
    status = {"risk": PENDING, "trade": PENDING}
    expected = replace(signal(), timestamp=day(10), processing_status=status)
    assert signals.get_signals_for_agent("risk") == (expected,)
    assert signals.get("s") == expected


def test_others_do_not_read_it(signals):
    signals.publish_signal(signal(target_agents=["risk"]))
    assert signals.get_signals_for_agent("trade") == ()


def test_an_id_is_made_where_there_is_none(signals):
    made = [signals.publish_signal(signal(signal_id="")) for _ in range(2)]
    assert ids(signals.get_signals_for_agent("risk")) == sorted(made)


def test_an_unknown_signal_is_none(signals):
    assert signals.get("s") is None


def test_signals_come_by_their_time(signals, clock):
    for number in (3, 1, 2):
        signals.publish_signal(signal(signal_id=str(number), timestamp=day(number)))
    signals.publish_signal(signal(signal_id="now"))
    assert ids(signals.get_signals_for_agent("risk")) == ["1", "2", "3", "now"]
    assert ids(signals.get_signals_for_agent("risk", since=day(2))) == ["2", "3", "now"]
    assert ids(signals.get_signals_for_agent("risk", limit=2)) == ["1", "2"]


def test_times_before_1970_are_in_order(signals):
    years = (1, 1969, 1971, 9999)
    for year in reversed(years):
        at = datetime(year, 1, 1, tzinfo=timezone.utc)
        signals.publish_signal(signal(signal_id=str(year), timestamp=at))
    assert ids(signals.get_signals_for_agent("risk")) == [str(year) for year in years]


def test_a_processed_signal_waits_no_longer(signals, clock):
    signals.publish_signal(signal())
    clock.advance(50)
    done = signals.mark_processed("s", "risk", "dec_risk_001")
    assert done == Processing("PROCESSED", day(10) + timedelta(seconds=50), "dec_risk_001")
    assert signals.get_signals_for_agent("risk") == ()
    assert ids(signals.get_signals_for_agent("trade")) == ["s"]
    (read,) = signals.get_signals_for_agent("risk", status="PROCESSED")
    assert read.processing_status == {"risk": done, "trade": PENDING}


def test_a_signal_may_fail(signals):
    signals.publish_signal(signal())
    signals.mark_processed("s", "risk", failed=True)
    assert ids(signals.get_signals_for_agent("risk", status="FAILED")) == ["s"]
    assert signals.get("s").processing_status["risk"].status == "FAILED"


def test_what_waits_is_counted_for_each_agent(signals, memory):
    AgentRegistry(memory).register("idle")
    signals.publish_signal(signal(signal_id="1"))
    signals.publish_signal(signal(signal_id="2", target_agents=["risk"]))
    signals.mark_processed("1", "trade")
    assert signals.pending_counts() == {"idle": 0, "risk": 2, "trade": 0}


def test_more_than_a_page_is_counted_and_read(signals):
    for number in range(1100):
        signals.publish_signal(signal(signal_id=f"{number:04}", target_agents=["risk"]))
    assert signals.pending_counts()["risk"] == 1100
    assert len(signals.get_signals_for_agent("risk", limit=10_000)) == 1100


def test_a_signal_is_gone_after_a_day(signals, clock):
    signals.publish_signal(signal())
    clock.advance(timedelta(hours=24) - timedelta(microseconds=1))
    assert ids(signals.get_signals_for_agent("risk")) == ["s"]
    clock.advance(timedelta(microseconds=1))
    assert signals.get_signals_for_agent("risk") == ()
    assert signals.get("s") is None
    assert signals.pending_counts() == {"risk": 0, "trade": 0}
    with pytest.raises(SignalError, match=r"there is no signal 's' \(any more\)"):
        signals.mark_processed("s", "risk")


def test_a_processed_signal_goes_when_the_others_do(signals, clock):
    signals.publish_signal(signal(ttl=60))
    clock.advance(30)
    signals.mark_processed("s", "risk")
    clock.advance(29)
    assert ids(signals.get_signals_for_agent("risk", status="PROCESSED")) == ["s"]
    clock.advance(1)
    assert signals.get_signals_for_agent("risk", status="PROCESSED") == ()


@pytest.mark.parametrize("failed", [True, False])
def test_a_signal_is_marked_once(signals, failed):
    signals.publish_signal(signal())
    done = signals.mark_processed("s", "risk")
    with pytest.raises(SignalError, match="'risk' has marked signal s already"):
        signals.mark_processed("s", "risk", failed=failed)
    assert signals.get("s").processing_status["risk"] == done


def test_a_signal_to_others_is_not_marked(signals):
    signals.publish_signal(signal(target_agents=["risk"]))
    with pytest.raises(SignalError, match="signal s was not sent to 'trade'"):
        signals.mark_processed("s", "trade")


def test_an_unknown_signal_is_not_marked(signals):
    with pytest.raises(SignalError, match="there is no signal 's'"):
        signals.mark_processed("s", "risk")


def test_a_target_that_is_not_registered_is_an_error(signals):
    with pytest.raises(AgentNotFoundError, match="no agent 'nobody' is registered"):
        signals.publish_signal(signal(target_agents=["risk", "nobody"]))
    assert signals.get_signals_for_agent("risk") == ()


def test_a_target_that_leaves_meanwhile_is_an_error(signals, memory, monkeypatch):
    look = AgentRegistry.expect

    def overtaken(registry, agent):
        found = look(registry, agent)
        monkeypatch.setattr(AgentRegistry, "expect", look)
        AgentRegistry(memory).deregister(agent)
        return found

    monkeypatch.setattr(AgentRegistry, "expect", overtaken)
    with pytest.raises(AgentNotFoundError, match="no agent 'risk'"):
        signals.publish_signal(signal())
    assert signals.get("s") is None


def test_an_id_is_given_once(signals):
    signals.publish_signal(signal())
    with pytest.raises(SignalError, match="signal_id='s': there is such a signal"):
        signals.publish_signal(signal(confidence=0.1))
    assert signals.get("s").confidence == 0.85


def test_signals_survive_a_restart(tmp_path, clock):
    with MemorySystem(tmp_path, clock=clock) as memory:
        for agent in ("risk", "trade"):
            AgentRegistry(memory).register(agent)
        MultiAgentCoordinator(memory).publish_signal(signal())
        MultiAgentCoordinator(memory).mark_processed("s", "risk")
        before = MultiAgentCoordinator(memory).get("s")
    with MemorySystem(tmp_path, clock=clock) as memory:
        assert MultiAgentCoordinator(memory).get("s") == before


def test_each_target_is_told(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        for agent in ("risk", "trade"):
            AgentRegistry(memory).register(agent)
        told = memory.subscribe("signals/*")
        MultiAgentCoordinator(memory).publish_signal(signal())
        news = [told.recv(1.0) for _ in range(2)]
    assert [message.topic for message in news] == ["signals/risk", "signals/trade"]
    assert unpack(news[0].payload) == {
        "signal_id": "s",
        "signal_type": "WHALE_ACTIVITY",
        "source_agent": "hunter",
        "severity": "high",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signal_type", ""),
        ("signal_type", None),
        ("recommended_action", ""),
        ("severity", "huge"),
        ("severity", None),
        ("severity", ["low"]),
        ("confidence", 1.01),
        ("confidence", -0.1),
        ("confidence", math.nan),
        ("confidence", None),
        ("target_agents", []),
        ("target_agents", ["risk", "risk"]),
        ("target_agents", ["risk", 7]),
        ("timestamp", day(0).replace(tzinfo=None)),
        ("ttl", 0),
        ("ttl", -1),
    ],
)
def test_a_value_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        signal(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("target_agents", "risk"), ("data", [1]), ("context", None), ("timestamp", 0)],
)
def test_a_value_of_another_type_is_named(field, value):
    with pytest.raises(TypeError, match=field):
        signal(**{field: value})


@pytest.mark.parametrize("id_", ["a/b", "..", "a b", "a" * 129])
def test_an_id_that_is_no_level_of_a_namespace_is_refused(signals, id_):
    calls = [
        lambda: signal(signal_id=id_),
        lambda: signal(source_agent=id_),
        lambda: signal(target_agents=[id_]),
        lambda: signals.get(id_),
        lambda: signals.get_signals_for_agent(id_),
        lambda: signals.mark_processed(id_, "risk"),
        lambda: signals.mark_processed("s", id_),
    ]
    for call in calls:
        with pytest.raises(NamespaceError, match="give 1 to 128 characters"):
            call()


@pytest.mark.parametrize("limit", [0, -1, 10_001, True, 1.5, None])
def test_a_limit_out_of_range_is_refused(signals, limit):
    with pytest.raises(ValueError, match="limit="):
        signals.get_signals_for_agent("risk", limit=limit)


@pytest.mark.parametrize("status", ["DONE", "pending", None, ["PENDING"]])
def test_an_unknown_status_is_refused(signals, status):
    with pytest.raises(ValueError, match="status="):
        signals.get_signals_for_agent("risk", status=status)


@pytest.mark.parametrize("decision_id", ["", 7])
def test_a_decision_has_a_name(signals, decision_id):
    signals.publish_signal(signal())
    with pytest.raises(ValueError, match="decision_id="):
        signals.mark_processed("s", "risk", decision_id)
    assert signals.get("s").processing_status["risk"] == PENDING


def test_data_that_cannot_be_stored_is_no_signal(signals):
    with pytest.raises(SerializationError):
        signals.publish_signal(signal(data={"at": object()}))
    assert signals.get_signals_for_agent("risk") == ()


def test_what_is_no_signal_is_refused(signals):
    with pytest.raises(TypeError, match=r"signal=\{\}: give Signal"):
        signals.publish_signal({})
