"""Bars that come again, after a restart, an error or from a second agent, count once."""

from contextlib import suppress
from datetime import timedelta

import numpy as np
import pytest

from builders import day
from nt_memory import MarketSnapshot, Regime, RegimeDetectionAgent, RegimeStatistics, SemanticStore
from nt_memory.errors import AccessDeniedError, StorageError
from nt_memory.regime.detector import TOPIC
from regimes import bars_at, calm, changing, taught, wild


def counted(memory):
    """Return what is known of each regime of the symbol."""
    return [RegimeStatistics(memory, "TEST").entry(regime) for regime in Regime]


def test_a_restart_and_a_second_agent_count_nothing_again(memory):
    bars = changing()
    RegimeDetectionAgent(memory).update(bars)
    once = counted(memory)
    assert any(once)
    RegimeDetectionAgent(memory, agent_id="second").update(bars)
    again = RegimeDetectionAgent(memory)
    for count in range(250, len(bars) + 1):
        again.detect_regime(MarketSnapshot.of(bars.head(count)))
    assert counted(memory) == once


def test_a_restart_in_the_middle_counts_what_is_new(memory, open_on, clock):
    bars = changing()
    for part in (bars.head(300), bars):
        RegimeDetectionAgent(memory).update(part)
    with open_on(clock) as other:
        RegimeDetectionAgent(other).update(bars)
        assert counted(memory) == counted(other)


def test_a_change_that_was_counted_is_not_told_again(memory):
    if not hasattr(memory.store, "publish"):
        pytest.skip("the model carries no messages")
    bars = changing()
    RegimeDetectionAgent(memory).update(bars)
    with memory.subscribe(TOPIC, agent_id="hedge") as listening:
        RegimeDetectionAgent(memory).update(bars)
        assert listening.try_recv() is None


def test_bars_that_come_twice_or_late_change_nothing(memory, open_on, clock):
    bars = changing()
    agent, told = RegimeDetectionAgent(memory, hold=2), []
    for bar in range(len(bars)):
        told.append(agent.update(bars.window(bar, bar + 1)))
        assert agent.update(bars.window(bar, bar + 1)) == told[-1]
        assert agent.update(bars.window(max(bar - 5, 0), bar + 1)) == told[-1]
    with open_on(clock) as other:
        once = RegimeDetectionAgent(other, hold=2)
        assert told == [once.update(bars.window(bar, bar + 1)) for bar in range(len(bars))]
        assert counted(memory) == counted(other)


def test_after_a_fit_old_bars_are_new(memory):
    bars, agent = changing(), RegimeDetectionAgent(memory)
    first = agent.update(bars)
    assert agent.fit(calm(1, 300) + 1.0).update(bars) is not None
    agent.states = None
    agent.fit(np.full(300, 5.0))
    assert agent.update(bars) == first


class Failing:
    """A vote that fails on one of its questions, once."""

    def __init__(self, vote, place):
        self.vote, self.left = vote, place

    def forget(self):
        self.vote.forget()

    def __call__(self, found, at):
        self.left -= 1
        if self.left == 0:
            raise StorageError("the disk is gone")  # noqa: EM101, TRY003
        return self.vote(found, at)


@pytest.mark.parametrize("place", [1, 2, 30, 61])
def test_an_update_that_failed_can_be_given_again(memory, place):
    taught(memory, known_at=day(4))
    bars = bars_at(np.concatenate([calm(50, 80), wild(51, 80)]), day(-70))
    agent = RegimeDetectionAgent(memory, hold=3)
    wanted = agent.predict(bars)
    agent._vote = Failing(agent._vote, place)
    with pytest.raises(StorageError):
        agent.update(bars)
    assert agent.update(bars) == (wanted.labels[-1], wanted.confidences[-1])
    # One bar by itself, too.
    agent, told = RegimeDetectionAgent(memory, hold=3), []
    agent._vote = Failing(agent._vote, place)
    for bar in range(len(bars)):
        with suppress(StorageError):
            agent.update(bars.window(bar, bar + 1))
        told.append(agent.update(bars.window(bar, bar + 1)))
    assert tuple(None if one is None else one.regime for one in told) == wanted.labels


@pytest.mark.parametrize("place", [2, 30, 61])
def test_a_snapshot_that_failed_can_be_asked_again(memory, place):
    bars = bars_at(np.concatenate([calm(50, 120), wild(51, 20), calm(52, 30)]), day(-300))
    # Nobody votes: rules, which rank a bar among all before it, notice one that came twice.
    agent = RegimeDetectionAgent(memory)
    agent._vote = Failing(agent._vote, 0)
    agent.detect_regime(MarketSnapshot.of(bars.head(110)))
    agent._vote.left = place
    # A later one that goes on, of which some bars were judged before it failed.
    seen = MarketSnapshot.of(bars)
    with pytest.raises(StorageError):
        agent.detect_regime(seen)
    told = agent.detect_regime(seen)
    assert told == RegimeDetectionAgent(memory).detect_regime(seen)


def test_a_forgotten_statistic_begins_anew(memory):
    bars, agent = changing(), RegimeDetectionAgent(memory)
    agent.update(bars.head(300))
    gone = [entry.memory_id for entry in counted(memory) if entry is not None]
    assert memory.forget(gone) == len(gone) > 0
    assert not any(counted(memory))
    agent.update(bars)
    anew = [entry for entry in counted(memory) if entry is not None]
    assert anew
    assert not {entry.memory_id for entry in anew} & set(gone)
    assert memory.forget([entry.memory_id for entry in anew]) == len(anew)
    assert not any(counted(memory))
    for n in (3, 4):
        statistics = RegimeStatistics(memory, "TEST")
        assert statistics.update_regime_duration(Regime.QUIET, timedelta(days=n), day(n))
    assert statistics.entry(Regime.QUIET).conditions["spells"] == 2


def test_without_the_right_to_write_the_regimes_go_on(memory):
    if not hasattr(memory.store, "publish"):
        pytest.skip("the model knows no agents")
    memory.consensus.register_agent("watcher", weight=1)
    memory.grant("watcher", read=["shared/knowledge"])
    bars, agent = changing(), RegimeDetectionAgent(memory.agent("watcher"))
    told, refused = [], 0
    for bar in range(len(bars)):
        refused += 1
        with suppress(AccessDeniedError):
            agent.update(bars.window(bar, bar + 1))
            refused -= 1
        told.append(agent.update(bars.window(bar, bar + 1)))
    found = RegimeDetectionAgent().predict(bars)
    assert tuple(None if one is None else one.regime for one in told) == found.labels
    assert refused == len(found.spells()) - 1
    assert SemanticStore(memory).count() == 0
