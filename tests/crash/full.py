"""Fills a small disk until the store says so, makes room, and goes on."""

import json
import random
import sys
from pathlib import Path

from crash.workload import open_store
from nt_memory.errors import StorageFullError
from nt_memory.store import Put

SIZE = 500_000


def main():
    """Tell how many values fitted, were there after the error, and after room was made."""
    place = Path(sys.argv[1])
    store = open_store(place / "memory", sys.argv[2])
    ballast = place / "ballast"
    ballast.write_bytes(bytes(4 << 20))
    fitted = _fill(store, 0)
    there = _held(store)
    ballast.unlink()
    more = _fill(store, fitted)
    store.close()
    store = open_store(place / "memory", sys.argv[2])
    told = {"fitted": fitted, "there": there, "more": more, "wrong": store.verify()}
    told["held"] = _held(store)
    store.close()
    sys.stdout.write(json.dumps(told) + "\n")


def _value(number):
    return random.Random(number).randbytes(SIZE)


def _fill(store, number):
    """Put values until there is no room; return how many there are then."""
    while True:
        try:
            store.commit([Put("full", f"{number:04}", _value(number))])
        except StorageFullError:
            return number
        number += 1


def _held(store):
    keys, _ = store.scan("full", "", 10_000, None)
    return sum(store.get("full", key) == _value(int(key)) for key in keys)


if __name__ == "__main__":
    main()
