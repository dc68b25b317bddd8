"""What agents went by as of a time stays; restarts and late writes change no decision."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from builders import day
from conftest import open_memory
from nt_memory import (
    AgentVote,
    Composer,
    Ledger,
    ManualClock,
    RiskGuard,
    RiskLimits,
    ShuffledLedger,
    Swarm,
    TradingMemoryStore,
)
from nt_memory.agents import composer as composing
from nt_memory.agents.opinion import DIRECTIONS, LEAST_FACTOR, MOST_FACTOR
from nt_memory.clock import LAST, to_micros
from trading import everything, market, outcome, swarm, told

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
FEW = settings(max_examples=15, deadline=None, suppress_health_check=CHECKS)
MORE = settings(FEW, max_examples=100)
# A broken variant is looked for from a fixed start, and the first failure is enough.
HUNT = settings(FEW, max_examples=200, derandomize=True, database=None, phases=[Phase.generate])

AGENTS = ("hedge", "sentiment")
SYMBOLS = ("AAA", "B.B")
seeds = st.integers(0, 2**32 - 1)
agents = st.sampled_from(AGENTS)
symbols = st.sampled_from(SYMBOLS)
regimes = st.sampled_from([None, "CALM", "WILD"])
days = st.integers(0, 20)
pnls = st.sampled_from([-3.0, -0.5, 0.0, 0.5, 2.0])


# What a ledger tells


class AppendsWhatIsLate(Ledger):
    """Tells outcomes in the order in which it met them."""

    def _learn(self, raw):
        self._push((raw.known_at, raw.id), composing_row(raw), raw.attributes["pnl"])


class ForgetsToLookAgain(Ledger):
    """Keeps what has been hidden since."""

    def _read(self, at):
        before = len(self._ids)
        super()._read(at)
        if len(self._ids) < before:
            self._begin()


def composing_row(raw):
    from nt_memory.agents.ledger import _settled

    return _settled(raw)


writes = st.tuples(st.just("write"), agents, symbols, regimes, days, pnls)
asks = st.tuples(st.just("ask"), st.sampled_from([6, 20, 20, 20]))
others = st.sampled_from([("forget",), ("reset",), ("note",)])
histories = st.lists(st.one_of(writes, writes, asks, asks, others), min_size=6, max_size=30)


def tells_the_same_as_a_new_one(kind, made, history):
    """Go through a history with one ledger, and compare it with a new one at each question."""
    with open_memory("native", ManualClock(day(20))) as memory:
        kept, ids = made(memory), []
        for step in history:
            if step[0] == "write":
                _, agent, symbol, regime, at, pnl = step
                # Ids that do not rise with time.
                name = f"{(len(ids) * 7) % 11}.{len(ids)}"
                ids.append(outcome(memory, agent, day(at), pnl, symbol, name, regime))
            elif step[0] == "forget" and ids:
                memory.forget(ids[len(ids) // 2])
            elif step[0] == "reset":
                TradingMemoryStore(memory, agent_id="hedge").reset()
            elif step[0] == "note":
                outcome(memory, "hedge", day(3), "unknown", trade_id=f"n{len(ids)}")
            elif step[0] == "ask":
                at = day(step[1])
                for of in ({}, {"agent": "hedge"}, {"symbol": "AAA", "regime": "CALM"}):
                    assert kept.trades(at, **of) == kind(memory).trades(at, **of)
                    assert kept.pnl(at, last=2, **of) == kind(memory).pnl(at, **of)[-2:]
                plain = Ledger(memory).trades(at)
                assert [row for row, _ in kept.trades(at)] == [row for row, _ in plain]
                assert sorted(kept.pnl(at)) == sorted(pnl for _, pnl in plain)
                assert all(row.known_at <= at for row, _ in plain)


@pytest.mark.parametrize("kind", [Ledger, ShuffledLedger])
def test_a_ledger_tells_what_a_new_one_tells_and_a_shuffled_one_permutes_it(kind):
    MORE(given(histories)(lambda history: tells_the_same_as_a_new_one(kind, kind, history)))()


@pytest.mark.parametrize("broken", [AppendsWhatIsLate, ForgetsToLookAgain])
def test_a_ledger_that_depends_on_its_history_is_caught(broken):
    hunt = HUNT(given(histories)(lambda told: tells_the_same_as_a_new_one(Ledger, broken, told)))
    with pytest.raises(AssertionError):
        hunt()


# What a swarm went by


class ReadsTheFuture(Ledger):
    """Tells whatever is held."""

    def _read(self, at):
        super()._read(to_micros(LAST))


class ReadsWhatWasWrittenLate(Ledger):
    """Leaves out what the memory held."""

    def __init__(self, memory, namespace="swarm", *, recorded_by=None):
        super().__init__(memory, namespace)


def stays_recomputable(ledger, seed, count, late):
    """Trade, write outcomes late, and compute again what each decision went by."""
    series = [market(count, seed + n, symbol) for n, symbol in enumerate(SYMBOLS)]
    clock = ManualClock(day(0))
    with open_memory("native", clock) as memory:
        trading = swarm(memory, ledger=ledger(memory))
        went_by = []
        for bar in range(count):
            clock.set(day(bar))
            for bars in series:
                past = bars.head(bar + 1)
                trading.settle(past)
                commit = memory.stats()["commits"]
                before = trading.ledger.trades(day(bar), symbol=bars.symbol)
                made = trading.decide(past, everything(seed, bar), "CALM")
                went_by.append((made, before, commit))
                if (bar, bars.symbol) in late:
                    late_id = f"late.{bars.symbol}.{bar}"
                    outcome(memory, "hedge", day(bar // 2), 9.0, bars.symbol, late_id)
        for made, before, commit in went_by:
            of = {"symbol": made.symbol}
            again = ledger(memory, recorded_by=commit)
            assert again.trades(made.at, **of) == before
            if not late:
                assert ledger(memory).trades(made.at, **of) == before
            records = Composer(again).records(
                made.acts, symbol=made.symbol, regime="CALM", at=made.at
            )
            assert records == made.decision.records
            assert trading.decided(made.symbol, made.at) == made
            assert math.isclose(made.weight, math.fsum(made.contributions.values()), abs_tol=1e-12)
            for name, act in made.acts.items():
                found = memory.replay(act.context["recall_id"])
                assert [hit.record.text for hit in found] == act.context["recalled"]
                assert all(hit.record.known_at <= made.at for hit in found)
                assert LEAST_FACTOR <= act.context["factor"] <= MOST_FACTOR, name


bars_late = st.lists(st.tuples(st.integers(0, 11), symbols), max_size=3).map(set)


@FEW
@given(seeds, st.integers(2, 12), st.just(set()) | bars_late)
def test_what_a_swarm_went_by_stays_whatever_is_written_later(seed, count, late):
    stays_recomputable(Ledger, seed, count, late)


@pytest.mark.parametrize("broken", [ReadsTheFuture, ReadsWhatWasWrittenLate])
def test_a_swarm_that_goes_by_what_came_later_is_caught(broken):
    hunt = HUNT(
        given(seeds, st.just(12), bars_late | st.just(set()))(
            lambda seed, count, late: stays_recomputable(broken, seed, count, late)
        )
    )
    with pytest.raises(AssertionError):
        hunt()


# Restarts


class Killed(BaseException):
    """A process that ends."""


class Mortal:
    """A store that ends its process after some commits."""

    def __init__(self, store, after):
        self._store, self._after, self.commits = store, after, 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, ops, **options):
        done = self._store.commit(ops, **options)
        self.commits += 1
        if self.commits in self._after:
            raise Killed
        return done


def trade(kind, seed, count, after=frozenset(), ledger=Ledger):
    """Trade bar by bar; a swarm that is killed is followed by another at the same bar."""
    series = [market(count, seed + n, symbol) for n, symbol in enumerate(SYMBOLS)]
    clock = ManualClock(day(0))
    decisions, restarts = {}, 0
    with open_memory("native", clock) as memory:
        memory._store = Mortal(memory.store, after)
        trading = swarm(memory, kind=kind, ledger=ledger(memory))
        for bar in range(count):
            clock.set(day(bar))
            # The order of symbols is that of the feed.
            for bars in series if bar % 2 else series[::-1]:
                while True:
                    try:
                        made = trading.decide(bars.head(bar + 1), everything(seed, bar), "CALM")
                        break
                    except Killed:
                        trading = swarm(memory, kind=kind, ledger=ledger(memory))
                        restarts += 1
                decisions[bars.symbol, bar] = told(made)
        state = replace(trading.guard.state, told=())
        kinds = sorted((record.kind, record.text, record.event_time) for record in memory.records())
    return decisions, state, kinds, restarts


class ForgetsWhoSitsOut(Swarm):
    """Knows those that it benched itself."""

    def _benched(self, symbol, at):
        return self._sitting.get(symbol, (at, {}))[1]


class TellsTwice(Swarm):
    """Tells a guard all outcomes when it is made anew."""

    def _untold(self, told):
        last = getattr(self, "_last", (0, 0, ""))
        found = super()._untold(last)
        if found:
            self._last = max((raw.recorded_at, raw.commit, raw.id) for raw in found)
        return found


def restart_equals_unbroken(kind, seed, count, after, ledger=Ledger):
    *unbroken, _ = trade(kind, seed, count, ledger=ledger)
    *broken, restarts = trade(kind, seed, count, after, ledger)
    assert broken == unbroken
    assert restarts <= len(after)


kills = st.frozensets(st.integers(1, 80), min_size=1, max_size=12)


@FEW
@given(seeds, kills, st.sampled_from([Ledger, ShuffledLedger]))
def test_a_swarm_that_is_killed_after_any_commit_goes_on_as_one_that_was_not(seed, after, ledger):
    restart_equals_unbroken(Swarm, seed, 14, after, ledger)


def test_a_swarm_is_killed_by_that_test_after_each_of_its_commits():
    assert trade(Swarm, 3, 10, frozenset(range(1, 200)))[-1] > 20


@pytest.mark.parametrize("broken", [ForgetsWhoSitsOut, TellsTwice])
def test_a_swarm_that_restarts_otherwise_is_caught(broken):
    hunt = HUNT(given(seeds, kills)(lambda n, after: restart_equals_unbroken(broken, n, 14, after)))
    with pytest.raises(AssertionError):
        hunt()


# What votes come to


NAMES = ("a", "b", "c", "d")
shares = st.sampled_from([0.0, 0.3, 1.0]) | st.floats(0.0, 1.0)
factors = st.sampled_from([LEAST_FACTOR, 1.0, MOST_FACTOR]) | st.floats(LEAST_FACTOR, MOST_FACTOR)
ballots = st.tuples(st.sampled_from(list(DIRECTIONS)), shares, factors)
votes = st.fixed_dictionaries(dict.fromkeys(NAMES, ballots))
# How often each has won and lost.
counts = st.tuples(st.sampled_from([0, 3, 9]), st.sampled_from([0, 3, 9]))
records = st.fixed_dictionaries(dict.fromkeys(NAMES, counts))


def factors_are_bounded(given_votes, outcomes, top):
    with open_memory("native", ManualClock(day(20))) as memory:
        for agent, (won, lost) in outcomes.items():
            for n, pnl in enumerate([1.0] * won + [-1.0] * lost):
                outcome(memory, agent, day(n % 10), pnl, trade_id=f"{agent}{n}")
        composer = Composer(Ledger(memory), prior=2.0, threshold=0.0, top=top)
        cast = [
            AgentVote(signal, min(base * factor, 1.0), name, factor)
            for name, (signal, base, factor) in given_votes.items()
        ]
        made = composer.decide(cast, at=day(20))
    parts = made.contributions
    assert math.isclose(math.fsum(parts.values()), made.score, abs_tol=1e-12)
    assert -1.0 <= made.score <= 1.0
    saying = [vote for vote in cast if vote.signal != "neutral" or vote.confidence]
    heard = min(len(saying), top or len(saying))
    for name, (signal, base, _) in given_votes.items():
        moved = parts[name] * heard * DIRECTIONS[signal]
        is_heard = made.signal != "neutral" and parts[name]
        if is_heard:
            assert base * LEAST_FACTOR - 1e-9 <= moved <= base * MOST_FACTOR + 1e-9


@MORE
@given(votes, records, st.none() | st.integers(1, 4))
def test_contributions_add_up_and_memory_moves_none_by_more_than_30_percent(cast, outcomes, top):
    factors_are_bounded(cast, outcomes, top)


@pytest.mark.parametrize(
    "broken",
    [
        lambda vote, record: vote.confidence * record.weight,
        lambda vote, record: vote.confidence * (1.0 + record.posterior) / vote.factor,
    ],
    ids=["both factors in full", "a weight of its own"],
)
def test_a_composer_that_goes_beyond_the_bound_is_caught(broken, monkeypatch):
    monkeypatch.setattr(composing, "_counted", broken)
    hunt = HUNT(given(votes, records, st.none())(factors_are_bounded))
    with pytest.raises(AssertionError):
        hunt()


# The guard


@MORE
@given(
    st.lists(st.floats(0.01, 2.0), min_size=2, max_size=8),
    st.floats(0.0, 0.4),
    st.floats(0.41, 1.0),
    st.floats(0.0, 1.0),
)
def test_exposure_never_rises_with_the_drawdown(equities, drawdown, deepest, least):
    limits = RiskLimits(losses=99, drawdown=drawdown, deepest=deepest, least=least)
    shares = []
    for equity in equities:
        guard = RiskGuard(limits=limits)
        guard.outcome(1.0, day(0), equity=2.0)
        guard.outcome(-1.0, day(1), equity=equity)
        shares.append((guard.state.drawdown, guard.exposure(day(1) + timedelta(hours=1))))
    shares.sort()
    exposures = [share for _, share in shares]
    assert exposures == sorted(exposures, reverse=True)
    assert all(least - 1e-12 <= share <= 1.0 for share in exposures)


# Outcomes


@FEW
@given(seeds, st.integers(3, 10))
def test_each_side_that_was_taken_is_settled_once_and_at_its_own_time(seed, count):
    bars = market(count, seed, "AAA")
    clock = ManualClock(day(0))
    with open_memory("native", clock) as memory:
        trading = swarm(memory)
        for bar in range(count):
            clock.set(day(bar))
            trading.decide(bars.head(bar + 1), everything(seed, bar))
            trading.settle(bars.head(bar + 1))
        sides = {}
        for record in memory.records(namespace="swarm"):
            if record.kind == "signal" and record.payload["direction"]:
                sides[record.id] = record
        ends = {row.trade_id: (row, pnl) for row, pnl in trading.ledger.trades(day(count))}
        for id_, record in sides.items():
            bar = (record.event_time - day(0)).days
            assert (id_ in ends) == (bar + 2 < count)
            if id_ in ends:
                row, pnl = ends[id_]
                assert row.known_at == day(bar + 2)
                assert pnl == 100.0 * record.payload["direction"] * bars.outcome(bar, 2)
                assert memory.get_record(id_, as_of=day(bar + 1)).outcome is None
                assert memory.get_record(id_).outcome.reward == pnl / 100.0
