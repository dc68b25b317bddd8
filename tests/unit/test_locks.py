"""Locks: leases, fences, lines, and what is said where they cannot be had."""

import math
import threading
from datetime import datetime, timedelta, timezone

import pytest

from nt_memory import (
    ClosedError,
    CoordinationError,
    DeadlockError,
    LockTimeoutError,
    LockToken,
    ManualClock,
    MemorySystem,
    Record,
    StaleTokenError,
)
from nt_memory.testing import ModelStore

START = datetime(2024, 1, 2, tzinfo=timezone.utc)


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def memory(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        yield memory


def test_a_token_says_what_whose_and_until_when(memory):
    token = memory.acquire_lock("market_sync", 1.0, ttl=5, owner="hedge")
    assert (token.resource, token.owner, token.number) == ("market_sync", "hedge", 1)
    assert token.expires_at == START + timedelta(seconds=5)


def test_the_default_owner_is_the_thread(memory):
    token = memory.acquire_lock("a", 0)
    assert str(threading.get_ident()) in token.owner


def test_a_held_lock_is_locked_until_it_is_released(memory):
    token = memory.acquire_lock("a", 0)
    assert memory.is_locked("a")
    memory.release_lock(token)
    assert not memory.is_locked("a")


def test_a_timeout_says_who_holds_it_and_for_how_long(memory):
    memory.acquire_lock("a", 0, ttl=30, owner="hedge")
    with pytest.raises(LockTimeoutError, match=r"'?\"hedge\" holds it for another 30.000 s"):
        memory.acquire_lock("a", 0.01, owner="wyckoff")


def test_a_timeout_is_a_timeout_error(memory):
    memory.acquire_lock("a", 0, owner="hedge")
    with pytest.raises(TimeoutError):
        memory.acquire_lock("a", 0, owner="wyckoff")


def test_a_lease_that_ran_out_is_free_for_others(memory, clock):
    old = memory.acquire_lock("a", 0, ttl=1, owner="hedge")
    clock.advance(1)
    assert not memory.is_locked("a")
    new = memory.acquire_lock("a", 0, owner="wyckoff")
    assert new.number > old.number
    with pytest.raises(StaleTokenError, match='"wyckoff" holds it now, with 2'):
        memory.release_lock(old)
    assert memory.is_locked("a")


def test_an_extended_lease_lives_longer(memory, clock):
    token = memory.acquire_lock("a", 0, ttl=1)
    clock.advance(0.5)
    longer = memory.extend_lock(token, ttl=2)
    assert longer.expires_at == START + timedelta(seconds=2.5)
    clock.advance(1.9)
    memory.release_lock(longer)


def test_an_extension_never_makes_it_shorter(memory):
    token = memory.acquire_lock("a", 0, ttl=10)
    assert memory.extend_lock(token, ttl=1).expires_at == token.expires_at


def test_what_is_over_cannot_be_extended_or_released_twice(memory, clock):
    token = memory.acquire_lock("a", 0, ttl=1)
    clock.advance(1)
    with pytest.raises(StaleTokenError):
        memory.extend_lock(token)
    token = memory.acquire_lock("a", 0)
    memory.release_lock(token)
    with pytest.raises(StaleTokenError, match="nobody holds it now"):
        memory.release_lock(token)


def test_an_owner_takes_it_again_where_it_says_so(memory):
    first = memory.acquire_lock("a", 0, owner="hedge", reentrant=True)
    second = memory.acquire_lock("a", 0, owner="hedge", reentrant=True)
    assert second.number == first.number
    memory.release_lock(first)
    assert memory.is_locked("a")
    memory.release_lock(second)
    assert not memory.is_locked("a")


def test_an_owner_that_would_wait_for_itself_is_told(memory):
    memory.acquire_lock("a", 0, owner="hedge")
    with pytest.raises(DeadlockError, match="reentrant=True"):
        memory.acquire_lock("a", 10, owner="hedge")


def test_owners_that_would_wait_for_each_other_are_told(memory):
    memory.acquire_lock("a", 0, owner="hedge")
    memory.acquire_lock("b", 0, owner="wyckoff")
    waiting = memory.locks.request("b", "hedge", 30_000_000, print, reentrant=False)
    with pytest.raises(DeadlockError, match='"wyckoff" waits for "hedge" waits for "wyckoff"'):
        memory.acquire_lock("a", 10, owner="wyckoff")
    waiting.leave()
    with pytest.raises(LockTimeoutError):
        memory.acquire_lock("a", 0, owner="wyckoff")


def test_a_block_holds_it_and_gives_it_back(memory):
    with memory.lock("a", 0) as token:
        assert memory.is_locked("a")
        memory.put("risk", "limit", b"5", fence=token)
    assert not memory.is_locked("a")


def test_a_block_that_fails_gives_it_back_too(memory):
    with pytest.raises(KeyError), memory.lock("a", 0):
        raise KeyError
    assert not memory.is_locked("a")


def test_a_block_that_outlived_its_lease_is_told(memory, clock):
    with pytest.raises(StaleTokenError), memory.lock("a", 0, ttl=1):
        clock.advance(1)


def test_what_went_wrong_in_a_block_is_told_before_its_lease(memory, clock):
    def fail_late():
        with memory.lock("a", 0, ttl=1):
            clock.advance(1)
            raise KeyError

    with pytest.raises(KeyError):
        fail_late()


WRITES = {
    "put": lambda memory, fence: memory.put("risk", "limit", b"6", fence=fence),
    "put_many": lambda memory, fence: memory.put_many("risk", {"limit": b"6"}, fence=fence),
    "put_json": lambda memory, fence: memory.put_json("risk", "limit", 6, fence=fence),
    "delete": lambda memory, fence: memory.delete("risk", "limit", fence=fence),
    "compare_and_set": lambda memory, fence: memory.compare_and_set(
        "risk", "limit", b"5", b"6", fence=fence
    ),
    "increment": lambda memory, fence: memory.increment("risk", "count", fence=fence),
    "remember": lambda memory, fence: memory.remember(record("new"), fence=fence),
    "remember_many": lambda memory, fence: memory.remember_many([record("new")], fence=fence),
    "a table": lambda memory, fence: memory.remember_many(
        {"namespace": "risk", "kind": "note", "event_time": [START], "id": ["new"]}, fence=fence
    ),
    "settle": lambda memory, fence: memory.settle("first", {"reward": 1.0}, fence=fence),
}


def record(id):
    return Record(id=id, namespace="risk", kind="note", event_time=START)


@pytest.fixture
def filled(memory):
    memory.put("risk", "limit", b"5")
    memory.remember(record("first"))
    return memory


def seen(memory):
    """What the writes could have changed."""
    keys = {key: memory.get("risk", key) for key in memory.keys("risk")[0]}
    return keys, memory.get_record("first").outcome, memory.get_record("new")


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_with_a_lock_in_force_is_done(filled, write):
    before = seen(filled)
    write(filled, filled.acquire_lock("a", 0))
    assert seen(filled) != before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_with_a_lease_that_is_over_is_refused(filled, clock, write):
    token = filled.acquire_lock("a", 0, ttl=1)
    clock.advance(1)
    before = seen(filled)
    with pytest.raises(StaleTokenError):
        write(filled, token)
    assert seen(filled) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_fenced_namespace_is_written_with_its_lock_only(filled, write):
    filled.configure_namespace("risk", fenced="a")
    before = seen(filled)
    for fence in (None, filled.acquire_lock("b", 0)):
        with pytest.raises(StaleTokenError, match='the lock "a" only'):
            write(filled, fence)
    assert seen(filled) == before
    write(filled, filled.acquire_lock("a", 0))
    assert seen(filled) != before


def test_a_fenced_namespace_says_so(memory):
    memory.configure_namespace("risk", fenced="a")
    assert memory.store.namespace_options("risk").fenced == "a"
    memory.configure_namespace("risk")
    memory.put("risk", "limit", b"5")


def test_who_stalls_past_the_lease_does_not_overwrite_the_next(memory, clock):
    old = memory.acquire_lock("a", 0, ttl=1, owner="hedge")
    clock.advance(2)
    new = memory.acquire_lock("a", 0, owner="wyckoff")
    memory.put("risk", "limit", b"new", fence=new)
    with pytest.raises(StaleTokenError):
        memory.put("risk", "limit", b"old", fence=old)
    assert memory.get("risk", "limit") == b"new"


def test_a_token_of_another_memory_is_refused(memory):
    with MemorySystem(":memory:") as other:
        foreign = other.acquire_lock("a", 0)
        memory.acquire_lock("a", 0)
        for call in (memory.release_lock, memory.extend_lock):
            with pytest.raises(StaleTokenError, match="another memory"):
                call(foreign)
        with pytest.raises(StaleTokenError, match="another memory"):
            memory.put("risk", "limit", b"5", fence=foreign)
    assert memory.is_locked("a")


def test_a_token_that_was_never_granted_is_refused(memory):
    token = memory.acquire_lock("a", 0)
    made_up = LockToken("a", "hedge", token.number + 7, token.expires_at, token.memory)
    with pytest.raises(StaleTokenError):
        memory.release_lock(made_up)
    assert memory.is_locked("a")


@pytest.mark.parametrize("token", [None, 1, "a", ("a", 1)])
def test_what_is_no_token_is_refused(memory, token):
    with pytest.raises(TypeError, match="LockToken that acquire_lock returned"):
        memory.release_lock(token)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resource": ""}, "resource"),
        ({"resource": "x" * 513}, "resource"),
        ({"resource": "a\nb"}, "resource"),
        ({"owner": ""}, "owner"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": -1}, "ttl"),
        ({"ttl": 86_401}, "ttl"),
        ({"ttl": math.nan}, "ttl"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": math.nan}, "timeout"),
        ({"timeout": math.inf}, "timeout"),
        ({"timeout": 86_401}, "timeout"),
    ],
)
def test_a_bad_argument_is_named_and_nothing_is_locked(memory, arguments, said):
    with pytest.raises(ValueError, match=said):
        memory.acquire_lock(**{"resource": "a", "timeout": 0, **arguments})
    assert not memory.is_locked("a")


@pytest.mark.parametrize("arguments", [{"resource": 1}, {"owner": 1}, {"ttl": "1"}])
def test_an_argument_of_a_wrong_type_is_refused(memory, arguments):
    with pytest.raises(TypeError):
        memory.acquire_lock(**{"resource": "a", "timeout": 0, **arguments})


def test_who_waits_is_told_that_the_memory_closes():
    memory = MemorySystem(":memory:")
    memory.acquire_lock("a", 0, owner="hedge")
    threading.Timer(0.05, memory.close).start()
    with pytest.raises(ClosedError):
        memory.acquire_lock("a", 60, owner="wyckoff")


def test_a_store_without_locks_says_so():
    with (
        MemorySystem(":memory:", store=ModelStore(ManualClock(START), spaces=())) as memory,
        pytest.raises(CoordinationError, match="has no locks"),
    ):
        memory.acquire_lock("a", 0)
