"""Targets of hostile input: each hands one hostile input to one part of the interface."""

import json
import os
from contextlib import suppress
from datetime import timedelta

import numpy as np

import hostile
from hostile import START, changed, name_, value, with_bad_arguments, with_bad_fields
from nt_memory import (
    AgentMemoryMessage,
    Bars,
    CacheConfig,
    Filter,
    HashingEmbedding,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    Namespace,
    Outcome,
    Provenance,
    Record,
    SerializationError,
    SubscriptionCounts,
    VectorConfig,
    VectorSpace,
    Weights,
    _native,
    between,
    contains,
    ge,
    ne,
    not_in,
    store,
)
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.columns import Lists, RawTable, Texts

VECTOR = np.ones(4, dtype=np.float32)
WORD = Texts(np.frombuffer(b"k", np.uint8), np.array([0, 1]), np.array([0]))
COLUMNS = {"rows": 1, "namespace": WORD, "kind": WORD, "event_time": np.array([0])}
RAW = {"id": "", "namespace": "raw", "kind": "k", "event_time": 0, "known_at": 0}


def bytes_to_unpack(memory, rng):
    _native.unpack(changed(rng, rng.choice(hostile.PACKED)))


def objects_to_pack(memory, rng):
    packed = _native.pack(value(rng))
    _native.unpack(packed)


def json_texts(memory, rng):
    text = changed(rng, json.dumps({"a": [1, 1e9, None, "ü"], "b": {"c": {}}}).encode())
    memory.put("json", "text", text)
    with suppress(SerializationError):
        memory.get_json("json", "text")


def json_values(memory, rng):
    memory.put_json("json", "value", value(rng))
    memory.get_json("json", "value")


def array_bytes(memory, rng):
    memory.put("arrays", "bytes", changed(rng, rng.choice(hostile.PACKED)))
    with suppress(SerializationError):
        memory.get_array("arrays", "bytes")


def filters(memory, rng):
    name = rng.choice(["kind", "tags", "event_time", "reward", "namespace", "attributes", "no"])
    way = rng.choice([lambda it: it, ne, ge, contains, not_in, lambda it: between(it, it)])
    made = Filter(**{name: way(value(rng))})
    for _ in range(rng.choice([0, 1, 30])):
        made = rng.choice([~made, made & Filter(symbol="b"), made | Filter(kind="a")])
    assert repr(made)
    memory.recall(filter=made, log=False)


def filter_trees(memory, rng):
    leaf = {"field": "kind", "op": "eq", "value": "a"}
    leaf[rng.choice([*leaf, "more"])] = value(rng)
    tree = rng.choice([{"test": leaf}, {"test": value(rng)}, {"and": [value(rng)]}, value(rng)])
    for _ in range(rng.choice([0, 1, 5, 100])):
        tree = rng.choice([{"not": tree}, {"and": [tree, tree]}, {"or": [tree]}])
    if rng.random() < 0.5:
        memory.store.select(None, tree)
    memory.store.vector_search(store.Query(filter=tree))


def values_by_key(memory, rng):
    name, *usual = rng.choice(
        [
            ("get", "a", "k", None),
            ("put", "a", "k", b"1", None),
            ("put_many", "a", {"k": b"1"}, None),
            ("get_many", "a", ["k"]),
            ("delete", "a", "k"),
            ("exists", "a", "k"),
            ("keys", "a", "", 10, None),
            ("compare_and_set", "a", "c", None, b"1"),
            ("increment", "a", "n", 1, None),
            ("put_json", "a", "j", 1, None),
            ("get_json", "a", "j"),
            ("put_array", "a", "v", VECTOR, None),
            ("get_array", "a", "v"),
            ("forget", []),
            ("get_record", "kept", None, None),
            ("settle", "nobody", {"reward": 1.0}, None),
            ("search_similar", "kept", VECTOR, 10),
            ("search_batch", "kept", [VECTOR], 10),
            ("replay", "nobody"),
        ]
    )
    with_bad_arguments(rng, getattr(memory, name), *usual)


def options_of_namespaces(memory, rng):
    name = rng.choice(["history", "ttl", "retention"])
    memory.configure_namespace(rng.choice(["o", value(rng)]), **{name: value(rng)})


def records(memory, rng):
    usual = {"namespace": "r", "kind": "k", "event_time": START}
    if rng.random() < 0.3:
        usual["outcome"] = with_bad_fields(rng, Outcome, reward=1.0)
    if rng.random() < 0.3:
        usual["provenance"] = with_bad_fields(rng, Provenance)
    if rng.random() < 0.3:
        usual["embeddings"] = {rng.choice(["state", "x", name_(rng)]): value(rng)}
    if rng.random() < 0.3:
        usual["attributes"] = {rng.choice(["x", name_(rng)]): value(rng)}
    id_ = memory.remember(with_bad_fields(rng, Record, **usual))
    assert_reads(memory, id_)


def tables(memory, rng):
    usual = {"namespace": "tables", "kind": "k", "event_time": [START, START]}
    names = "namespace kind event_time known_at id agent_id expires_at importance confidence text"
    more = "tags writer trust embedding embeddings.state attributes.x outcome.reward price"
    bad = {
        name: value(rng)
        for name in rng.sample([*names.split(), *more.split()], k=rng.choice([0, 1, 1, 2]))
    }
    bad = rng.choice([bad, {name: [found, found] for name, found in bad.items()}])
    given = {**usual, **bad}
    for id_ in memory.remember_many(rng.choice([given] * 9 + [{**given, value(rng): value(rng)}])):
        assert_reads(memory, id_)


def column_bytes(memory, rng):
    offsets = [rng.choice([-1, 0, 1, 2, 1 << 62, -(1 << 63)]) for _ in range(rng.choice([0, 2, 3]))]
    rows = np.array(
        [rng.choice([-1, 0, 0, 1, 1 << 62]) for _ in range(rng.choice([0, 1, 2]))], "i8"
    )
    data = np.frombuffer(changed(rng, "kü".encode()), np.uint8)
    texts = Texts(data, np.array(offsets, np.int64), rows)
    lists = Lists(np.array(offsets, np.int64), rng.choice([WORD, texts]))
    column = rng.choice(["namespace", "id", "symbol", "text"])
    bad = rng.choice([{column: texts}, {"tags": lists}, {"attributes": {"x": texts}}])
    memory.store.commit([store.WriteMany(RawTable(**{**COLUMNS, **bad}))])


def assert_reads(memory, id_):
    """What was taken can be read."""
    try:
        memory.get_record(id_)
        memory.recall(namespace="r", log=False)
    except Exception as error:
        msg = "what was taken cannot be read"
        raise AssertionError(msg) from error


def operations(memory, rng):
    kind, usual = rng.choice(
        [
            (store.Put, {"namespace": "a", "key": "k", "value": b"1"}),
            (store.Delete, {"namespace": "a", "key": "k"}),
            (store.Increment, {"namespace": "a", "key": "n", "by": 1}),
            (store.Expect, {"namespace": "a", "key": "e", "value": None}),
            (store.ExpectNew, {"id": "new"}),
            (store.ExpectUnchanged, {"ids": [], "commit": 0}),
            (store.Forget, {"ids": []}),
            (store.Write, {"record": store.RawRecord(**RAW)}),
            (store.WriteMany, {"table": RawTable(**COLUMNS)}),
            (store.Settle, {"id": "nobody", "outcome": store.RawOutcome(1.0)}),
            (store.Configure, {"namespace": "o", "options": store.NamespaceOptions()}),
        ]
    )
    if kind is store.Write and rng.random() < 0.8:
        batch = [store.Write(with_bad_fields(rng, store.RawRecord, **RAW))]
    elif kind is store.WriteMany and rng.random() < 0.8:
        batch = [store.WriteMany(with_bad_fields(rng, RawTable, **COLUMNS))]
    else:
        batch = [with_bad_fields(rng, kind, **usual)]
    good = store.Put("a", "good", b"1")
    memory.store.commit(rng.choice([batch, [good, *batch], [*batch, good], value(rng)]))


def queries(memory, rng):
    usual = rng.choice([{}, {"vector": VECTOR, "half_life": 5.0}])
    query = with_bad_fields(rng, store.Query, **usual)
    memory.store.vector_search(rng.choice([query, query, query, value(rng)]))


def recalls(memory, rng):
    names = "embedding text space namespace filter as_of recorded_by top_k half_life weights"
    names = [*names.split(), "order_by", "diversity", "min_trust", "exact"]
    memory.recall(**{name: value(rng) for name in rng.sample(names, 2)}, log=False)


def calls_of_the_store(memory, rng):
    name, *usual = rng.choice(
        [
            ("get", "a", "k", None),
            ("peek", "a", "k"),
            ("scan", "a", "", 10, None),
            ("fetch", "kept", None, None, None),
            ("versions", "kept"),
            ("select", None, None),
            ("log_recall", "logged", b"entry", None, None),
            ("recall_log", "nobody"),
            ("namespace_options", "a"),
        ]
    )
    with_bad_arguments(rng, getattr(memory.store, name), *usual)


def publications(memory, rng):
    call, *usual = rng.choice(
        [
            (memory.publish, "a/b", b"x"),
            (lambda pattern, time: memory.configure_topic(pattern, retention=time), "a/*", 1),
            (memory.store.publish, "a/b", b"x", "hedge", ["wyckoff"], "hedge"),
            (memory.store.configure_topic, "a/*", True, 1_000_000),
        ]
    )
    with_bad_arguments(rng, call, *usual)


def subscriptions(memory, rng):
    names = ["from_seq", "durable", "capacity", "agent_id"]
    given = {name: value(rng) for name in rng.sample(names, rng.choice([0, 1, 2]))}
    with memory.subscribe(rng.choice(["a/*", value(rng)]), **given) as listening:
        assert listening.counts == SubscriptionCounts(0, 0, 0, 0)
    # One that is closed waits for nothing, whatever the time.
    listening.recv(value(rng))


def messages_of_agents(memory, rng):
    usual = {"sender_agent_id": "hedge", "message_type": "PATTERN", "data": {"a": [1, None]}}
    if rng.random() < 0.5:
        AgentMemoryMessage.decode(changed(rng, AgentMemoryMessage(**usual).encode()))
    made = with_bad_fields(rng, AgentMemoryMessage, **usual)
    assert AgentMemoryMessage.decode(made.encode()) == made
    memory.publish("a/b", made)


def namespaces(memory, rng):
    letters = ["a", "/", ".", "_", "-", "\0", " ", "ü", "\ud800", "swarm/"]
    name = "".join(rng.choices(letters, k=rng.choice([0, 1, 5, 127, 128, 129, 1023, 1024, 1025])))
    rng.choice([Namespace.validate, Namespace.parse, Namespace.agent_prefix])(name)
    Namespace.build("a", value(rng))
    memory.put(name, name, b"1")
    assert memory.get(name, name) == b"1"


def configurations(memory, rng):
    kind = rng.choice([MemoryConfig, CacheConfig, VectorConfig, VectorSpace, Weights])
    made = with_bad_fields(rng, kind)
    spaces = {rng.choice(["x", name_(rng)]): VectorSpace(4)}
    cache = made if kind is CacheConfig else CacheConfig()
    vector = made if kind is VectorConfig else VectorConfig()
    MemorySystem(
        MemoryConfig(cold_engine="memory", cache=cache, vector=vector, spaces=spaces)
    ).close()


TOML = b"""cold_engine = "sled"
max_memory_bytes = 2097152
[cache]
ttl = 60.5
track_access = true
[spaces.state]
dim = 8
encoder = "bars-v1"
"""


def toml_files(memory, rng):
    path = f"/dev/shm/hostile-{os.getpid()}.toml"  # noqa: S108
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(changed(rng, TOML))
    try:
        MemoryConfig.from_toml(rng.choice([path] * 9 + ["\ud800", "\0"]))
    finally:
        os.unlink(path)  # noqa: PTH108


def environments(memory, rng):
    names = [
        "SEED",
        "CACHE_TTL",
        "SPACES",
        "STORAGE_PATH",
        "COLD_ENGINE",
        "CACHE_TRACK_ACCESS",
        "X",
    ]
    text = changed(rng, b"state=8,text=16").decode("utf-8", "surrogateescape")
    given = rng.choice([text, "1e999", "9" * 5000, "nan", "\0", value(rng)])
    MemoryConfig.from_env(
        rng.choice([{"NT_MEMORY_" + rng.choice(names): given}] * 9 + [value(rng)])
    )


def times(memory, rng):
    given = value(rng)
    call = rng.choice([micros, to_micros, from_micros, Bars, ManualClock, HashingEmbedding])
    if call is not from_micros or isinstance(given, int):
        call(given)
    clock = ManualClock(START)
    rng.choice([clock.advance, clock.set, clock.native.advance_us, clock.native.set_us])(given)
    clock.now()
    Bars(rng.choice([1, given]), rng.choice([timedelta(1), given])).duration  # noqa: B018


TARGETS = [
    *(bytes_to_unpack, objects_to_pack, json_texts, json_values, array_bytes, filters),
    *(filter_trees, values_by_key, options_of_namespaces, records, operations, queries, recalls),
    *(tables, column_bytes, publications, subscriptions, messages_of_agents),
    *(calls_of_the_store, namespaces, configurations, toml_files, environments, times),
]
