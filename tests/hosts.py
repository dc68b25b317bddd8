"""What the processes of the host tests do: ``python -m hosts NAME ARGUMENTS``."""

import dataclasses
import faulthandler
import json
import os
import random
import sys
import threading
import time

import numpy as np

from nt_memory import Filter, MemoryConfig, MemorySystem, StoreLockedError
from nt_memory.store import Put, Query, RawRecord, Write

RECORDS = 120_000
VECTOR = np.ones(256, dtype=np.float32)


def say(thing):
    """Print one line at once."""
    sys.stdout.write(json.dumps(thing) + "\n")
    sys.stdout.flush()


def raised(call, *arguments):
    """Return the name of what a call raises, or None."""
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001 (the name is the answer)
        return type(error).__name__
    return None


OTHER = RawRecord(id="other", namespace="trades", kind="trade", event_time=0, known_at=0)
# Every kind of call.
CALLS = {
    "get": lambda memory: memory.get("risk", "limit"),
    "get of nothing": lambda memory: memory.get("risk", "nothing"),
    "get_many": lambda memory: memory.get_many("risk", ["limit"]),
    "put": lambda memory: memory.put("risk", "limit", b"6"),
    "delete": lambda memory: memory.delete("risk", "limit"),
    "increment": lambda memory: memory.increment("risk", "count"),
    "keys": lambda memory: memory.keys("risk"),
    "get_record": lambda memory: memory.get_record("first"),
    "write": lambda memory: memory.store.commit([Write(OTHER)]),
    "recall": lambda memory: memory.recall(embedding=VECTOR),
    "search_similar": lambda memory: memory.search_similar("trades", VECTOR),
    "search_batch": lambda memory: memory.search_batch("trades", [VECTOR]),
    "log_recall": lambda memory: memory.store.log_recall("recall", b"{}"),
    "recall_log": lambda memory: memory.store.recall_log("recall"),
    "peek": lambda memory: memory.store.peek("risk", "limit"),
    "publish": lambda memory: memory.publish("updates", b"x"),
    "publish what is kept": lambda memory: memory.publish("kept/updates", b"x"),
    "subscribe": lambda memory: memory.subscribe("updates"),
    "configure_topic": lambda memory: memory.configure_topic("other/*"),
    "new_id": lambda memory: memory.store.new_id(),
    "configured": lambda memory: memory.store.configured(),
    "namespace_options": lambda memory: memory.store.namespace_options("risk"),
    "stats": lambda memory: memory.stats(),
    "flush": lambda memory: memory.flush(),
    "verify": lambda memory: memory.verify(),
}


def opened(path):
    """Open a memory with a value and a record in it."""
    memory = MemorySystem(path)
    memory.put("risk", "limit", b"5")
    memory.configure_topic("kept/*")
    record = RawRecord(
        id="first",
        namespace="trades",
        kind="trade",
        event_time=0,
        known_at=0,
        embeddings={"state": VECTOR},
    )
    memory.store.commit([Write(record)])
    return memory


def in_fork(work):
    """Run something in a forked child that ends as a program does; return its answer and code."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # One that hangs says where, and ends.
        faulthandler.dump_traceback_later(60, exit=True)
        os.write(writer, json.dumps(work()).encode())
        raise SystemExit
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(said), os.waitstatus_to_exitcode(status)


def owner_of(path):
    """Say which process owns a directory, and what is said about it."""
    try:
        MemorySystem(path).close()
    except StoreLockedError as error:
        say({"pid": error.pid, "message": str(error)})
    else:
        say({"pid": None, "message": ""})


def hold(path):
    """Keep a directory open until the input ends."""
    memory = opened(path)
    say("open")
    sys.stdin.read()
    memory.close()


def fill(path):
    """Write a value and close."""
    opened(path).close()


def leave_open(path):
    """End without a close."""
    globals()["kept"] = opened(path)
    say("ends")


def leave_while_writing(path):
    """End while daemon threads write."""
    memory = opened(path)
    for number in range(4):
        work = [memory, f"key-{number}"]
        threading.Thread(target=_write_for_ever, args=work, daemon=True).start()
    memory.flush()
    say("ends")


def _write_for_ever(memory, key):
    while True:
        memory.put("risk", key, b"6")


def fork_and_call(path):
    """Say what every call raises in a forked child."""
    memory = opened(path)
    said, code = in_fork(lambda: {name: raised(call, memory) for name, call in CALLS.items()})
    say({"raised": said, "code": code})


def fork_and_go_on(path):
    """Say what a parent finds after its child tried to use the store and ended."""
    memory = opened(path)
    in_fork(lambda: raised(memory.put, "risk", "limit", b"child"))
    before = memory.get("risk", "limit")
    memory.put("risk", "limit", b"parent")
    after = memory.get("risk", "limit")
    say({"before": before.decode(), "after": after.decode(), "problems": memory.verify()})
    memory.close()


def fork_and_open_others(path, others):
    """Say what children read from stores of their own."""
    memory = opened(path)

    def work(number):
        with MemorySystem(f"{others}-{number}") as own:
            own.put("risk", "limit", b"own")
            return own.get("risk", "limit").decode()

    say([in_fork(lambda number=number: work(number)) for number in range(10)])
    memory.close()


def fork_and_share_work():
    """Say what a parent finds with all its workers, and what a child finds."""
    say({"parent": _many_found(), "child": in_fork(_many_found)})


def _many_found():
    rows = 20_000
    table = {
        "namespace": "bars",
        "kind": "bar",
        "event_time": np.datetime64("2024-01-01"),
        "id": np.array([f"r{number}" for number in range(rows)]),
        "embedding": np.random.default_rng(0).standard_normal((rows, 256), dtype=np.float32),
    }
    with MemorySystem(":memory:") as memory:
        memory.remember_many(table)
        found = memory.search_batch("bars", table["embedding"][:100], top_k=1)
        memory.forget(Filter(kind="bar"))
        left = memory.search_batch("bars", table["embedding"][:1])
        return [row[0][0] for row in found], left


def fork_sled(path):
    """Say what a child is told that opens sled after its parent did."""
    config = MemoryConfig(storage_path=path, cold_engine="sled")
    memory = MemorySystem(config)
    other = dataclasses.replace(config, storage_path=f"{path}-other")
    say(in_fork(lambda: raised(MemorySystem, other)))
    memory.close()


def fork_and_open_the_same(path):
    """Say whom a child finds in its parent's directory, and who the parent is."""
    memory = opened(path)

    def work():
        try:
            MemorySystem(path)
        except StoreLockedError as error:
            return error.pid

    said, _ = in_fork(work)
    say({"found": said, "parent": os.getpid()})
    memory.close()


def fork_and_outlive(path):
    """Say what is raised where the parent opens again while a child of the first time lives."""
    memory = opened(path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    memory.close()
    say(raised(fill, path))
    os.close(writer)
    os.waitpid(child, 0)


def fork_under_load(path):
    """Say what children raise that are forked while threads write; end when they did."""
    memory = opened(path)
    for number in range(2):
        work = [memory, f"key-{number}"]
        threading.Thread(target=_write_for_ever, args=work, daemon=True).start()
    said = [in_fork(lambda: [raised(call, memory) for call in CALLS.values()]) for _ in range(5)]
    say(said)
    memory.verify()
    os._exit(0)


def interrupted_search():
    """Be interrupted in a search over many records."""
    terms = [
        {"test": {"field": "symbol", "op": "contains", "value": f"no {n}"}} for n in range(1000)
    ]
    query = Query(filter={"or": terms})
    _interrupted(lambda memory: memory.store.vector_search(query), _many_records())


def interrupted_verify():
    """Be interrupted in the verification of many records."""
    _interrupted(MemorySystem.verify, _many_records())


def interrupted_open(path):
    """Be interrupted while a large store is opened."""
    with MemorySystem(path) as memory:
        _add_records(memory)
    _interrupted(lambda _: MemorySystem(path).close(), None)


def interrupted_commit(path):
    """Be interrupted while a commit is under way; say what it left."""
    memory = MemorySystem(path)
    value = random.Random(0).randbytes(8 << 20)
    batch = [Put("models", f"model-{number}", value) for number in range(10)]
    _interrupted(lambda memory: memory.store.commit(batch), memory)
    memory.flush()
    say({"whole": [memory.get("models", put.key) == value for put in batch]})
    memory.close()


def _many_records():
    memory = MemorySystem(":memory:")
    _add_records(memory)
    return memory


def _add_records(memory):
    for begin in range(0, RECORDS, 5000):
        memory.store.commit([Write(_symbol(n)) for n in range(begin, begin + 5000)])


def _symbol(number):
    return RawRecord(
        id=f"r{number}",
        namespace="a",
        kind="k",
        event_time=0,
        known_at=0,
        symbol=f"symbol {number}",
    )


def _interrupted(call, memory):
    """Say how long a call takes, then that it is under way, then when it was interrupted."""
    begun = time.monotonic()
    call(memory)
    say({"full": time.monotonic() - begun})
    # No thread takes the interpreter from this one before the call lets go of it.
    sys.setswitchinterval(1000)
    entered = threading.Event()

    def watch():
        entered.wait()
        say("under way")

    threading.Thread(target=watch).start()
    ended = False
    try:
        entered.set()
        call(memory)
        ended = True
    except KeyboardInterrupt:
        say({"ended": ended, "at": time.monotonic()})
    else:
        say({"ended": ended, "at": None})


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
