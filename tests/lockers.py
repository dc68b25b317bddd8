"""What the processes and threads of the lock tests do: ``python -m lockers NAME ARGUMENTS``."""

import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from hosts import say
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


def be_interrupted():
    """Be interrupted, again and again, just when a lock that is waited for becomes free."""
    memory = MemorySystem(":memory:")
    while True:
        token = memory.acquire_lock("a", 0, owner="first")
        sender = threading.Thread(target=_interrupt_and_release, args=[memory, token])
        sender.start()
        got = None
        with suppress(KeyboardInterrupt):
            got = memory.acquire_lock("a", 5, owner="second")
        with suppress(KeyboardInterrupt):
            sender.join()
        sender.join()
        if got is not None:
            memory.release_lock(got)
        say("held" if memory.is_locked("a") else "free")


def _interrupt_and_release(memory, token):
    time.sleep(0.01)
    signal.raise_signal(signal.SIGINT)
    memory.release_lock(token)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
