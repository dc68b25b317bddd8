"""Bad input gets an error of ours that names the field and the way out."""

import json
import math
import resource
from datetime import timedelta

import numpy as np
import pytest

import hostile
from builders import record
from hostile import Clearing, clearing, far, nested
from nt_memory import (
    AsyncMemorySystem,
    Bars,
    CacheConfig,
    Filter,
    HashingEmbedding,
    MemoryConfig,
    MemorySystem,
    Namespace,
    NamespaceError,
    SerializationError,
    VectorSpace,
    _native,
    store,
)
from nt_memory._shown import shown
from nt_memory.clock import from_micros, micros, to_micros

HUGE = 10**400
SURROGATE = "\ud800"


@pytest.mark.parametrize("made", hostile.VALUES)
def test_a_value_is_shown_in_short_whatever_it_is(made):
    assert len(shown(made())) < 1000


@pytest.mark.parametrize(
    "made",
    [
        lambda: record(importance=HUGE),
        lambda: record(attributes={"x": HUGE}),
        lambda: Filter(reward=HUGE),
        lambda: micros(HUGE),
        lambda: Bars(HUGE),
        lambda: Bars(1e300, timedelta(1)).duration,
        lambda: CacheConfig(ttl=HUGE),
        lambda: MemoryConfig.from_env({"NT_MEMORY_CACHE_TTL": HUGE}),
        lambda: from_micros(2**62),
        lambda: HashingEmbedding(2**40),
    ],
)
def test_a_number_that_is_too_great_is_refused(made):
    with pytest.raises((ValueError, TypeError), match=r"give|years"):
        made()


@pytest.mark.parametrize("at", [far(1, 14), far(9999, -14)])
def test_a_time_that_no_datetime_in_utc_can_say_is_refused(at):
    with pytest.raises(ValueError, match=r"known_at=.*years 1 to 9999"):
        to_micros(at, "known_at")


@pytest.mark.parametrize("at", [far(1, 0), far(9999, 0), far(1, -14), far(9999, 14)])
def test_a_time_at_the_border_is_kept(at):
    assert from_micros(to_micros(at)) == at


def test_a_record_that_is_hidden_after_the_last_year_can_be_read(memory):
    memory.configure_namespace("trades", ttl=timedelta(days=10**7))
    id_ = memory.remember(record())
    assert memory.get_record(id_).expires_at.year == 9999


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: record(attributes=5), "attributes=5"),
        (lambda: record(embeddings=True), "embeddings=True"),
        (lambda: record(attributes={5: 1.0}), "attributes: 5 is no name"),
        (lambda: record(tags=5), "tags=5"),
        (lambda: record(kind=nested(50_000)), "kind="),
        (lambda: MemoryConfig(spaces=5), "spaces=5"),
        (lambda: MemoryConfig(cold_engine=["redb"]), "cold_engine="),
        (lambda: MemoryConfig.from_env(5), "environ=5"),
        (lambda: MemoryConfig.from_env({"NT_MEMORY_SPACES": None}), "NT_MEMORY_SPACES=None"),
        (lambda: MemoryConfig.from_toml(0), "path=0"),
        (lambda: MemorySystem(":memory:", clock=True), "clock=True"),
        (lambda: MemorySystem(":memory:", embedder=True), "embedder=True"),
        (lambda: Bars(5, interval=5), "interval=5"),
        (lambda: Filter(attributes={5: 1.0}), "attributes: 5 is no name"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(made, field):
    with pytest.raises((ValueError, TypeError), match=field):
        made()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda memory: memory.put_many("a", 5), "values=5"),
        (lambda memory: memory.recall(weights=None), "weights=None"),
        (lambda memory: memory.recall(order_by=True), "order_by=True"),
        (lambda memory: memory.recall(text=5), "text=5"),
        (lambda memory: memory.get_record("x", recorded_by=2**64), "recorded_by="),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(memory, call, field):
    with pytest.raises((ValueError, TypeError), match=field):
        call(memory)


@pytest.fixture
def engine():
    """An engine that keeps nothing."""
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(4)})
    with MemorySystem(config) as memory:
        yield memory.store


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda engine: engine.vector_search(None), "nt_memory.store"),
        (lambda engine: engine.commit([store.Write(None)]), "nt_memory.store"),
        (
            lambda engine: engine.vector_search(store.Query(as_of=2**63)),
            "RawQuery.as_of: .*64 bits",
        ),
        (lambda engine: engine.fetch("a", 2**63), "64 bits"),
        (lambda engine: engine.get("a", "b", 2**63), "64 bits"),
        (lambda engine: engine.fetch("a", None, None, -1), "64 bits"),
        (lambda engine: engine.scan("a", "", 2**63, None), "64 bits"),
        (lambda engine: engine.get("a", SURROGATE), "clean the text"),
        (lambda engine: engine.commit([store.Forget([SURROGATE])]), "clean the text"),
        (
            lambda engine: engine.commit([store.Delete("a", SURROGATE)]),
            "Delete.key: .*clean the text",
        ),
        (lambda _: Namespace.validate(SURROGATE), "clean the text"),
        (lambda _: _native.Clock(manual=True, start_us=2**63), "64 bits"),
    ],
)
def test_the_engine_refuses_in_plain_words(engine, call, message):
    with pytest.raises((ValueError, TypeError), match=message) as refused:
        call(engine)
    assert not isinstance(refused.value, UnicodeError)


def test_a_long_namespace_is_not_told_in_full():
    with pytest.raises(NamespaceError) as refused:
        Namespace.validate("a/" * 10**6)
    assert len(str(refused.value)) < 2100


def test_json_that_is_too_deep_is_no_json(memory):
    memory.put("a", "deep", b"[" * 10**6)
    with pytest.raises(SerializationError, match="a/deep is no JSON"):
        memory.get_json("a", "deep")


def nots(depth):
    """Return a filter of so many levels."""
    made = Filter(kind="a")
    for _ in range(depth - 1):
        made = ~made
    return made


def test_a_filter_that_is_too_deep_is_refused():
    with pytest.raises(ValueError, match="more than 24 deep"):
        nots(25)


def test_the_deepest_filter_is_shown_compared_and_searched_by(memory):
    assert nots(24) == nots(24)
    assert repr(nots(24)) == repr(nots(24))
    assert memory.recall(filter=nots(24), log=False).hits == ()


@pytest.mark.parametrize("kind", [list, dict])
def test_what_changes_while_it_is_packed_is_packed_as_it_was(kind):
    made = clearing(kind)
    assert len(_native.unpack(_native.pack(made))) == (3 if kind is list else 2)


def test_an_array_that_lies_about_its_shape_is_packed_as_it_is():
    hostile.HOLDERS.clear()
    assert np.array_equal(
        _native.unpack(_native.pack(np.arange(3.0).view(Clearing))), np.arange(3.0)
    )


def test_a_key_that_is_no_text_is_told_by_its_type():
    with pytest.raises(SerializationError, match="key of type int; keys are text"):
        _native.pack({10**5000: 1})


@pytest.mark.parametrize("text", [b"a=" + b"[" * 9000, b"a." * 40_000 + b"b=1", b"\xff"])
def test_a_toml_file_that_is_too_deep_or_long_is_refused(tmp_path, text):
    path = tmp_path / "memory.toml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"memory\.toml: ") as refused:
        MemoryConfig.from_toml(path)
    assert not isinstance(refused.value, UnicodeError)


def test_a_number_that_is_none_is_refused_in_a_variable():
    for text in (json.dumps(math.inf), "1e999"):
        with pytest.raises(ValueError, match="NT_MEMORY_SEED"):
            MemoryConfig.from_env({"NT_MEMORY_SEED": text})


def test_an_open_memory_says_what_to_pass_instead_of_a_copy():
    with MemorySystem(":memory:") as memory:
        for opened in (memory, memory.store, AsyncMemorySystem(memory)):
            with pytest.raises(TypeError, match=r"pass the path.*open it there"):
                opened.__reduce__()


BOMBS = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
]
BOMBS += [b"\xc9\xff\xff\xff\xff\x01", b"\x91" * 10**6, b"\x81\xa0" * 10**6]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_claim_without_its_content_takes_no_memory(bomb):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SerializationError):
        _native.unpack(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_value_of_too_many_lists_is_refused_before_it_takes_the_memory():
    bomb = b"\xdd" + (2**24).to_bytes(4, "big") + b"\x90" * 2**24
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SerializationError, match="more than 1048576 lists"):
        _native.unpack(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10


def test_as_many_lists_as_are_packed_are_unpacked():
    most = [[]] * (2**20 - 1)
    assert _native.unpack(_native.pack(most)) == most
    with pytest.raises(SerializationError, match="more than 1048576 lists"):
        _native.pack([*most, []])


def test_a_value_that_holds_another_twice_and_so_on_is_refused():
    value = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(SerializationError, match="more than 1048576 lists"):
        _native.pack(value)
