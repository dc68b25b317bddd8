"""Regimes and a memory: labelled ones vote, changes are counted and told to all."""

import itertools
from datetime import timedelta

import numpy as np
import pytest

from builders import day
from experiences import regime as entry
from nt_memory import (
    MarketSnapshot,
    MemoryRetrievalService,
    MessageType,
    Regime,
    RegimeDetectionAgent,
    RegimeStatistics,
    SemanticStore,
    regime_features,
)
from nt_memory.regime import FEATURES
from nt_memory.regime.detector import TOPIC
from regimes import bars_at, calm, changing, prices_of, snapshot, taught, wild

# --- labelled regimes ---------------------------------------------------------


def test_the_nearest_labelled_regimes_decide(memory):
    agent = taught(memory)
    regime, confidence = agent.detect_regime(snapshot(calm(50), day(11)))
    assert regime is Regime.MEAN_REVERTING
    assert confidence > 0.5
    assert agent.detect_regime(snapshot(wild(50), day(11), "OTHER")).regime is Regime.CRISIS


def test_too_few_labelled_regimes_leave_it_to_the_rules(memory):
    seen = snapshot(calm(50), day(11))
    by_rules = RegimeDetectionAgent().detect_regime(seen)
    assert taught(memory, neighbours=11).detect_regime(seen) == by_rules
    assert RegimeDetectionAgent(memory, neighbours=10).detect_regime(seen) != by_rules


def test_a_vote_weighs_likeness_and_confidence(memory):
    agent = taught(memory, neighbours=10)
    seen = snapshot(calm(50), day(11))
    regime, confidence = agent.detect_regime(seen)
    assert regime is Regime.MEAN_REVERTING
    rows = {
        name: np.array([_row(series(seed)) for seed in range(5)])
        for name, series in (("calm", calm), ("wild", wild))
    }
    deviation = np.concatenate(list(rows.values())).std(axis=0)
    deviation[3] = 1.0  # volumes are all the same
    weights = {
        name: (1.0 / (1.0 + (((found - _row(calm(50))) / deviation) ** 2).sum(axis=1) / 6.0)).sum()
        for name, found in rows.items()
    }
    wanted = 0.9 * weights["calm"] / (0.9 * weights["calm"] + 0.8 * weights["wild"])
    assert confidence == pytest.approx(wanted, abs=1e-9)


def _row(returns):
    found = regime_features(prices_of(returns), np.ones(len(returns) + 1))
    return np.array(
        [
            np.log(found.volatility),
            found.trend_strength,
            0.5 ** (1.0 / found.mean_reversion),
            0.0,
            found.autocorrelation,
            found.hurst_exponent,
        ]
    )


def test_what_is_labelled_later_has_no_vote(memory):
    agent = taught(memory, known_at=day(20))
    bars = bars_at(calm(50, 150), day(-130))
    labels = agent.predict(bars).labels
    assert day(-130) + timedelta(days=150) == day(20)
    assert labels == (*RegimeDetectionAgent().predict(bars).labels[:-1], labels[-1])
    held = RegimeDetectionAgent(memory, hold=1).predict(bars).labels
    assert held[-2:] == (
        RegimeDetectionAgent(hold=1).predict(bars).labels[-2],
        Regime.MEAN_REVERTING,
    )


def test_a_label_given_in_hindsight_is_known_from_when_it_is_given(memory, clock):
    id_ = taught(memory).remember_regime(snapshot(calm(1), day(2)), Regime.QUIET)
    found = SemanticStore(memory).get(id_)
    assert (found.created_at, found.known_at) == (day(2), clock.now())
    assert SemanticStore(memory).get(id_, as_of=day(9)) is None


def test_updates_vote_as_a_prediction_does(memory):
    agent = taught(memory, known_at=day(4))
    bars = bars_at(np.concatenate([calm(50, 60), wild(51, 80)]), day(-70))
    told = [agent.update(bars.window(bar, bar + 1)) for bar in range(len(bars))]
    labels = agent.predict(bars).labels
    assert tuple(None if one is None else one.regime for one in told) == labels
    assert labels != RegimeDetectionAgent().predict(bars).labels


def test_closes_without_times_are_judged_without_the_memory(memory):
    prices = prices_of(calm(50, 150))
    assert taught(memory).predict(prices) == RegimeDetectionAgent().predict(prices)


def test_a_labelled_regime_is_knowledge_with_its_features(memory):
    seen = snapshot(calm(1), day(2))
    agent = RegimeDetectionAgent(memory)
    found = SemanticStore(memory).get(agent.remember_regime(seen, Regime.QUIET, 0.7))
    assert (found.regime_name, found.confidence, found.tags) == ("QUIET", 0.7, ("TEST",))
    features = regime_features(seen.prices, seen.volumes)
    assert found.regime_features == {name: getattr(features, name) for name in FEATURES}
    assert MemoryRetrievalService(memory).retrieve_regime_knowledge("QUIET").regimes


def test_a_steady_market_can_be_labelled(memory):
    """Its half-life is infinite, and still it is stored and votes."""
    agent = RegimeDetectionAgent(memory, neighbours=1)
    seen = snapshot(np.full(120, 0.001), day(2))
    agent.remember_regime(seen, Regime.QUIET)
    later = snapshot(np.full(120, 0.001), day(11), "OTHER")
    assert agent.detect_regime(later) == (Regime.QUIET, 1.0)


def test_entries_without_features_or_of_other_names_have_no_vote(memory, open_on, clock):
    agent, seen = taught(memory), snapshot(calm(50), day(11))
    with open_on(clock) as other:
        before = taught(other).detect_regime(seen)
    SemanticStore(memory).add_many(
        [
            entry("QUIET"),
            entry("QUIET", regime_features={"volatility": 0.003}),
            entry("QUIET", regime_features=dict.fromkeys(FEATURES, "low")),
            entry("QUIET", regime_features=dict.fromkeys(FEATURES, float("nan"))),
            entry("BULL", regime_features=dict.fromkeys(FEATURES, 0.003)),
        ]
    )
    assert agent.detect_regime(seen) == before


def test_a_label_cannot_be_known_before_its_market(memory):
    agent, seen = RegimeDetectionAgent(memory), snapshot(calm(1), day(2))
    early = day(2) - timedelta(microseconds=1)
    with pytest.raises(ValueError, match=r"known_at=.*give no earlier time"):
        agent.remember_regime(seen, Regime.QUIET, known_at=early)
    with pytest.raises(ValueError, match=r"known_at=.*naive"):
        agent.remember_regime(seen, Regime.QUIET, known_at=day(3).replace(tzinfo=None))
    assert SemanticStore(memory).count() == 0
    id_ = agent.remember_regime(seen, Regime.QUIET, known_at=day(2))
    assert SemanticStore(memory).get(id_).known_at == day(2)


def test_what_is_no_snapshot_is_not_labelled(memory):
    with pytest.raises(TypeError, match="snapshot='it'"):
        RegimeDetectionAgent(memory).remember_regime("it", Regime.QUIET)


@pytest.mark.parametrize(
    ("regime", "confidence", "match"),
    [
        ("BULL", 1.0, "BULL"),
        ("x" * 9000, 1.0, "give one of TRENDING"),
        ([], 1.0, "regime="),
        (Regime.QUIET, 1.5, "confidence=1.5"),
    ],
)
def test_a_bad_label_is_refused(memory, regime, confidence, match):
    with pytest.raises(ValueError, match=match):
        RegimeDetectionAgent(memory).remember_regime(snapshot(calm(1), day(2)), regime, confidence)
    assert SemanticStore(memory).count() == 0


# --- changes ------------------------------------------------------------------


def test_changes_are_counted_as_knowledge(memory):
    bars, agent = changing(), RegimeDetectionAgent(memory)
    agent.update(bars)
    spells = agent.predict(bars).spells()
    assert len(spells) >= 4
    statistics = RegimeStatistics(memory, "TEST")
    for regime in Regime:
        known = statistics.entry(regime)
        # Neither the first spell, whose beginning nobody saw, nor the last, which goes on.
        ended = [spell.stop - spell.start for spell in spells[1:-1] if spell.regime is regime]
        pairs = [b.regime.value for a, b in itertools.pairwise(spells) if a.regime is regime]
        if not pairs:
            assert known is None
            continue
        if ended:
            assert known.typical_duration == pytest.approx(86_400.0 * np.mean(ended))
        wanted = {name: pairs.count(name) / len(pairs) for name in set(pairs)}
        assert known.transition_probability == pytest.approx(wanted)


def test_what_changed_later_does_not_show_earlier(memory):
    bars, agent = changing(), RegimeDetectionAgent(memory)
    agent.update(bars)
    spells, statistics = agent.predict(bars).spells(), RegimeStatistics(memory, "TEST")
    first = spells[0].regime
    changed = bars.closed_at(spells[1].start)
    assert statistics.entry(first, as_of=changed - timedelta(microseconds=1)) is None
    known = statistics.entry(first, as_of=changed)
    assert known.transition_probability == {spells[1].regime.value: 1.0}
    assert known.typical_duration is None


def test_a_change_is_told_to_all(memory):
    if not hasattr(memory.store, "publish"):
        pytest.skip("the model carries no messages")
    bars, agent = changing(), RegimeDetectionAgent(memory, agent_id="watcher")
    spells = agent.predict(bars).spells()
    with memory.subscribe(TOPIC, agent_id="hedge") as listening:
        agent.update(bars)
        told = [message.content for message in iter(listening.try_recv, None)]
    assert len(told) == len(spells) - 1
    for message, old, new in zip(told, spells, spells[1:], strict=False):
        assert message.message_type is MessageType.REGIME_CHANGE
        assert message.recipient_agent_ids == "all"
        assert message.sender_agent_id == "watcher"
        assert message.timestamp == bars.closed_at(new.start)
        assert (message.data["old"], message.data["new"]) == (old.regime.value, new.regime.value)
        assert 0.0 <= message.data["confidence"] <= 1.0
    seen = [spell.regime for spell in spells[1:-1]]
    again = next(n for n, m in enumerate(told) if Regime(m.data["new"]) in seen[:n])
    assert told[again].data["typical_duration"] > 0
    assert told[0].data["typical_duration"] is None


def test_snapshots_tell_changes_as_updates_do(memory, open_on, clock):
    bars = changing().head(260)
    agent = RegimeDetectionAgent(memory)
    for count in range(100, len(bars) + 1):
        agent.detect_regime(MarketSnapshot.of(bars.head(count)))
    with open_on(clock) as other:
        RegimeDetectionAgent(other).update(bars)
        for regime in Regime:
            left, right = (RegimeStatistics(m, "TEST").entry(regime) for m in (memory, other))
            assert left == right


def test_a_question_about_the_past_changes_nothing(memory):
    bars, agent = changing(), RegimeDetectionAgent(memory)
    agent.update(bars)
    commit = memory.recall().commit
    for count in (150, 200, len(bars)):
        agent.detect_regime(MarketSnapshot.of(bars.head(count)))
    assert memory.recall(log=False).commit <= commit + 1  # the recall above logs itself


def test_an_agents_handle_needs_the_right_to_write(memory):
    if not hasattr(memory.store, "publish"):
        pytest.skip("the model knows no agents")
    memory.consensus.register_agent("watcher", weight=1)
    memory.grant("watcher", write=["shared/knowledge"])
    handle = memory.agent("watcher")
    agent = RegimeDetectionAgent(handle)
    assert agent.agent_id == "watcher"
    agent.remember_regime(snapshot(calm(1), day(2)), Regime.QUIET)
    assert SemanticStore(memory).count("REGIME") == 1


# --- the statistics themselves ------------------------------------------------


def test_durations_are_averaged_and_transitions_counted(memory):
    statistics = RegimeStatistics(memory, "SPY")
    for n, (days, following) in enumerate([(2, "CRISIS"), (4, "QUIET"), (6, "QUIET")]):
        statistics.update_regime_duration(Regime.VOLATILE, timedelta(days=days), day(n))
        statistics.update_transition_probability(Regime.VOLATILE, Regime(following), day(n))
    found = statistics.entry(Regime.VOLATILE)
    assert found.typical_duration == 4 * 86_400.0
    assert found.transition_probability == pytest.approx({"QUIET": 2 / 3, "CRISIS": 1 / 3})
    assert statistics.entry(Regime.VOLATILE, as_of=day(1)).typical_duration == 3 * 86_400.0
    assert RegimeStatistics(memory, "QQQ").entry(Regime.VOLATILE) is None
    knowledge = MemoryRetrievalService(memory).retrieve_regime_knowledge("VOLATILE", ["CRISIS"])
    assert knowledge.transitions == pytest.approx({"QUIET": 2 / 3, "CRISIS": 1 / 3})


def test_each_kind_is_counted_once_a_time(memory):
    statistics = RegimeStatistics(memory, "SPY")
    assert statistics.update_transition_probability(Regime.QUIET, Regime.CRISIS, day(5))
    known, commit = statistics.entry(Regime.QUIET), memory.recall(log=False).commit
    assert not statistics.update_transition_probability(Regime.QUIET, Regime.CRISIS, day(5))
    assert not statistics.update_transition_probability(Regime.QUIET, Regime.VOLATILE, day(4))
    assert memory.recall(log=False).commit == commit
    assert statistics.entry(Regime.QUIET) == known
    # A spell that one saw from its beginning and another did not.
    assert statistics.update_regime_duration(Regime.QUIET, timedelta(days=2), day(5))
    assert statistics.update_transition_probability(Regime.CRISIS, Regime.QUIET, day(5))
    assert statistics.update_transition_probability(Regime.QUIET, Regime.CRISIS, day(6))
    assert statistics.entry(Regime.QUIET).conditions["changes"] == {"CRISIS": 2}


def test_bars_ahead_of_the_clock_are_counted_too(memory):
    statistics = RegimeStatistics(memory, "SPY")
    for n in (30, 31):
        statistics.update_regime_duration(Regime.QUIET, timedelta(days=n), day(n))
    assert statistics.entry(Regime.QUIET) is None
    assert statistics.entry(Regime.QUIET, as_of=day(40)).conditions["spells"] == 2


def test_what_two_writers_count_at_once_is_all_counted(memory):
    first, second = RegimeStatistics(memory, "SPY"), RegimeStatistics(memory, "SPY")
    knowledge, changes = first._knowledge, first._knowledge.changes

    def interrupted(*args):
        knowledge.changes = changes
        second.update_regime_duration(Regime.QUIET, timedelta(days=2), day(1))
        return changes(*args)

    knowledge.changes = interrupted
    assert first.update_regime_duration(Regime.QUIET, timedelta(days=4), day(2))
    assert first.entry(Regime.QUIET).conditions["spells"] == 2
    assert first.entry(Regime.QUIET).typical_duration == 3 * 86_400.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda s: s.update_transition_probability(Regime.QUIET, Regime.QUIET, day(0)),
            "new=QUIET",
        ),
        (lambda s: s.update_regime_duration(Regime.QUIET, timedelta(days=-1), day(0)), "duration="),
        (lambda s: s.update_regime_duration("BULL", timedelta(days=1), day(0)), "BULL"),
    ],
)
def test_bad_statistics_are_refused(memory, call, match):
    statistics = RegimeStatistics(memory, "SPY")
    with pytest.raises(ValueError, match=match):
        call(statistics)
    assert SemanticStore(memory).count() == 0


def test_what_is_labelled_between_two_questions_votes_in_the_second(memory):
    agent, seen = RegimeDetectionAgent(memory), snapshot(calm(50), day(11))
    first = agent.detect_regime(seen)
    taught(memory)
    assert RegimeDetectionAgent(memory).detect_regime(seen) != first
    later = MarketSnapshot("OTHER", seen.at, seen.prices, seen.volumes)
    assert agent.detect_regime(later) == RegimeDetectionAgent(memory).detect_regime(seen)


def test_a_snapshot_reads_the_memory_once(memory):
    agent, asked = taught(memory), []
    entries = agent._vote._entries
    agent._vote._entries = lambda at: asked.append(at) or entries(at)
    agent.detect_regime(snapshot(calm(50), day(11)))
    assert asked == [day(11)]


@pytest.mark.parametrize("agent_id", ["", "all", "a" * 1000, 5, ["a"]])
def test_an_agent_whose_name_cannot_be_told_is_refused(memory, agent_id):
    with pytest.raises((ValueError, TypeError), match="agent_id="):
        RegimeDetectionAgent(memory, agent_id=agent_id)
