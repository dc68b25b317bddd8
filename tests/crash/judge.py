"""The process that opens images: one line in, one verdict out. An image may be its end."""

import json
import sys
from collections import defaultdict

from crash.fading import KINDS
from crash.harness import Order
from crash.workload import fetched, held, open_store, problems, same
from nt_memory import NtMemoryError

# What an image may turn out to be; only the first is what a durable engine promises.
VERDICTS = ("whole", "lost", "torn", "refused", "unopened", "wrong", "hung", "died")


def judge(order, acknowledged):
    """Return a verdict on what an image holds, and what led to it.

    ``lost``: less steps than were acknowledged. ``torn``: not the state after
    any step. ``refused``: an error instead of an answer, ``unopened``: the same
    at open. ``wrong``: what nobody wrote.
    """
    try:
        store = open_store(order.path, order.engine)
    except NtMemoryError as error:
        return "unopened", [str(error)]
    lanes = [KINDS[order.lane](order.seed, number) for number in range(len(acknowledged))]
    try:
        return _compare(store, lanes, acknowledged)
    except NtMemoryError as error:
        return "refused", [str(error)]
    finally:
        store.close()


def _compare(store, lanes, acknowledged):
    strange = [
        line for pair in zip(lanes, acknowledged, strict=True) for line in _strangers(store, *pair)
    ]
    if strange:
        return "wrong", strange
    lost, torn = [], store.verify()
    for lane, last in zip(lanes, acknowledged, strict=True):
        done = held(lane, store)
        if done not in {last, last + 1}:
            lost.append(f"{lane.namespace} holds {done} steps, acknowledged were {last}")
        lane.advance(done)
        torn += problems(lane, store)
    return "torn" if torn else "lost" if lost else "whole", lost + torn


def _strangers(store, lane, last):
    """Say what of a lane was never written, in none of its steps."""
    values, records = _ever_written(type(lane)(lane.seed, lane.number), last + 1)
    keys, _ = store.scan(lane.namespace, "", 10_000, None)
    for key in keys:
        if store.get(lane.namespace, key) not in values[key]:
            yield f"{key} was never so"
    for id, versions in records.items():
        found = fetched(store, id)
        if hasattr(found, "payload") and not any(same(found, version) for version in versions):
            yield f"record {id} was never so"


def _ever_written(lane, steps):
    """Collect every value that a key had, and every version of a record."""
    values, records = defaultdict(set), defaultdict(list)
    values["progress"] = {str(step).encode() for step in range(1, steps + 1)}
    while lane.done < steps:
        lane.step()
        for key, value in lane.values.items():
            values[key].add(value)
        for key, count in lane.counters.items():
            values[key].add(str(count).encode())
        for id, record in lane.records.items():
            if not any(record is known for known in records[id]):
                records[id].append(record)
    return values, records


def main():
    """Judge until nobody asks."""
    for line in sys.stdin:
        asked = json.loads(line)
        verdict = judge(Order(**asked["order"]), asked["acknowledged"])
        sys.stdout.write(f"{json.dumps(verdict)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
