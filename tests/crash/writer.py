"""The process that is killed: it writes, and says each batch that is on the disk."""

import json
import os
import sys
import threading

from crash.workload import Lane, open_store


def acknowledge(lane):
    """Say in one write, which the end of the process does not tear."""
    os.write(1, f"{lane.number} {lane.done}\n".encode())


def write(store, lane, early):
    """Write until killed, or until nobody listens."""
    while True:
        batch = lane.step()
        if early:
            acknowledge(lane)
        store.commit(batch)
        if not early:
            acknowledge(lane)


def main():
    """Wait for the order, then write it on one thread a lane."""
    order = json.loads(sys.stdin.readline())
    lanes = [Lane(order["seed"], number) for number in range(len(order["done"]))]
    for lane, done in zip(lanes, order["done"], strict=True):
        lane.advance(done)
    store = open_store(order["path"], order["engine"], order["durability"])
    for lane in lanes:
        threading.Thread(target=write, args=(store, lane, order["early"])).start()


if __name__ == "__main__":
    main()
