"""A trader that is killed before any commit ends as one that was not."""

from itertools import groupby

import pytest

from nt_memory import ReplayFeed, SimulatedBroker
from papers import (
    NAME,
    DyingStore,
    ForgetfulBroker,
    KilledError,
    open_on,
    series,
    start,
    swarm,
    traded,
    trader,
)

BARS = 11
MARKET = series(BARS, symbols=2, seed=3)


def run(at=0, broker=SimulatedBroker, feed=ReplayFeed, market=MARKET):
    """Run to the end, killed before a commit and begun again; return what is left, and commits."""
    clock = start()
    with open_on(None, clock) as base:
        dying = DyingStore(base.store, at)
        try:
            list(trader(open_on(dying, clock), market, clock, broker, feed=feed).run())
        except KilledError:
            list(trader(open_on(base.store, clock), market, clock, broker, feed=feed).run())
        return traded(base), dying.commits


@pytest.fixture(scope="module")
def unbroken():
    return run()


def test_the_run_has_all_that_can_happen(unbroken):
    told, commits = unbroken
    text = "\n".join(told["records"])
    for what in ("kind='outcome'", "agent_error", "kind='fill'", "kind='refusal'", "paused after"):
        assert what in text
    assert any("'bench': {'markov': 2}" in line for line in told["records"])
    assert commits > 3 * BARS


def test_killed_before_any_commit_it_ends_as_if_it_had_not_been(unbroken):
    told, commits = unbroken
    for at in range(1, commits + 1):
        left, _ = run(at)
        assert left["state"] == told["state"], at
        assert left["rows"] == told["rows"], at
        assert left["records"] == told["records"], at


def test_of_one_symbol_too_an_order_is_filled_once():
    """The order that is sent again is then the one that the next bar has filled."""
    told, commits = run(market=MARKET[:1])
    for at in range(1, commits + 1):
        assert run(at, market=MARKET[:1])[0] == told, at


class Backward(ReplayFeed):
    """Tells the symbols of one close in the other order."""

    def bars(self, since=None):
        for _, row in groupby(super().bars(since), key=lambda bar: int(bar.times[0])):
            yield from reversed(list(row))


def test_it_does_not_matter_which_symbol_of_a_close_comes_first():
    told, commits = run(feed=Backward)
    assert "paused after" in "".join(told["records"])
    for at in range(30, commits + 1, 2):
        assert run(at, feed=Backward)[0] == told, at


def test_positions_that_are_in_python_only_are_found_out(unbroken):
    told, commits = unbroken
    caught = sum(
        run(at, ForgetfulBroker)[0]["state"].positions != told["state"].positions
        for at in range(10, commits, 10)
    )
    assert caught


def test_a_swarm_that_forgets_who_sits_out_is_found_out(unbroken, monkeypatch):
    told, commits = unbroken

    def kept(self, symbol, at):
        return self._sitting.get(symbol, (at, {}))[1]

    monkeypatch.setattr("nt_memory.Swarm._benched", kept)
    assert any(run(at)[0]["records"] != told["records"] for at in range(1, commits, 3))


def test_killed_again_and_again_it_ends_as_if_it_had_not_been(unbroken):
    told, _ = unbroken
    clock = start()
    with open_on(None, clock) as base:
        for _ in range(1000):
            try:
                # A bar takes fewer commits than that, so that each life gets on.
                list(trader(open_on(DyingStore(base.store, 17), clock), MARKET, clock).run())
                break
            except KilledError:
                continue
        assert traded(base) == told


def test_orders_that_were_not_sent_are_sent_after_a_restart():
    clock = start()
    with open_on(None, clock) as memory:
        made = trader(memory, MARKET, clock)
        made._send = lambda: None
        for _ in made.run():
            if made.state.order is not None:
                break
        assert memory.get(f"shared/paper/{NAME}/broker", "book") is None
        again = trader(memory, MARKET, clock)
        next(again.run())
        assert memory.get(f"shared/paper/{NAME}/broker", "book") is not None
        assert swarm(memory).holding == again.state.holding
