"""What the processes and threads of the lock tests do: ``python -m lockers NAME ARGUMENTS``."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from nt_memory import MemorySystem, StaleTokenError


def grant_for_ever(path):
    """Acquire and release one lock after the other; say each number."""
    memory = MemorySystem(path)
    while True:
        token = memory.acquire_lock("a", 1.0, ttl=5)
        sys.stdout.write(f"{token.number}\n")
        sys.stdout.flush()
        memory.release_lock(token)


def contend(memory, threads, times, *, stalls, checks=True):
    """Have threads add to a counter under one lock, some past their lease.

    Each reads, sometimes stalls, and writes what it read and one more.  Return
    the count, the numbers of the writes that were accepted, and how many were
    refused.  Without ``checks`` the writes carry no fence.
    """
    memory.put("ledger", "count", b"0")
    accepted, refused = [], []

    def turn(number):
        stall = number % stalls == 0
        token = memory.acquire_lock("ledger", 60, ttl=0.002 if stall else 30)
        count = int(memory.get("ledger", "count"))
        if stall:
            time.sleep(0.004)
        try:
            memory.put("ledger", "count", b"%d" % (count + 1), fence=token if checks else None)
            accepted.append(token.number)
        except StaleTokenError:
            refused.append(token.number)
        with suppress(StaleTokenError):
            memory.release_lock(token)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(turn, range(threads * times)))
    return int(memory.get("ledger", "count")), accepted, len(refused)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
