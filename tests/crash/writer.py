"""The process that is killed: it writes, and says each batch that is on the disk."""

import itertools
import json
import os
import sys
import threading

from crash.fading import KINDS
from crash.workload import NOW, open_store
from nt_memory import _native


def acknowledge(lane):
    """Say in one write, which the end of the process does not tear."""
    os.write(1, f"{lane.number} {lane.done}\n".encode())


def write(store, lane, clock, order):
    """Write so many steps, or until killed."""
    for _ in range(order["steps"]) if order["steps"] else itertools.count():
        batch = lane.step()
        clock.set_us(lane.time)
        if order["early"]:
            acknowledge(lane)
        store.commit(batch)
        if not order["early"]:
            acknowledge(lane)


def main():
    """Wait for the order, then write it on one thread a lane."""
    order = json.loads(sys.stdin.readline())
    lanes = [KINDS[order["lane"]](order["seed"], number) for number in range(len(order["done"]))]
    for lane, done in zip(lanes, order["done"], strict=True):
        lane.advance(done)
    clock = _native.Clock(manual=True, start_us=NOW)
    store = open_store(order["path"], order["engine"], order["durability"], clock)
    threads = [threading.Thread(target=write, args=(store, lane, clock, order)) for lane in lanes]
    for thread in threads:
        thread.start()
    if order["engine"] == "redb":
        for _ in range(order["compacts"]):
            store.compact()
    for thread in threads:
        thread.join()
    if not order["closes"]:
        os._exit(0)
    store.close()


if __name__ == "__main__":
    main()
