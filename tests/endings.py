"""How processes with an open store end: ``python -m endings NAME PATH``."""

import sys
import threading

from hosts import VECTOR, opened, raised, say
from nt_memory import MemorySystem, StoreLockedError


def open_passed(memory):
    """Take a memory as a spawned process would."""
    return memory.get("risk", "limit")


def owner_found(path):
    """Return the pid of the process that has a directory open."""
    try:
        MemorySystem(path).close()
    except StoreLockedError as error:
        return error.pid
    return None


def leave_while_recalling(path):
    """End with an open store while daemon threads recall from it."""
    memory = opened(path)
    begun = threading.Barrier(5)
    for _ in range(4):
        threading.Thread(target=_recall_for_ever, args=[memory, begun], daemon=True).start()
    begun.wait()
    say("ends")


def _recall_for_ever(memory, begun):
    memory.recall(embedding=VECTOR)
    begun.wait()
    while True:
        memory.recall(embedding=VECTOR)


def leave_in_a_cycle(path):
    """End with a store that only a cycle of garbage refers to."""
    holder = [opened(path)]
    holder.append(holder)
    del holder
    say("ends")


def count(path):
    """Say each number once it is on the disk, for ever."""
    memory = opened(path)
    number = 0
    while True:
        number += 1
        memory.put("risk", "count", f"{number}".encode())
        say(number)


def count_carelessly(path):
    """Say each number before it is written, for ever."""
    memory = opened(path)
    number = 0
    while True:
        number += 1
        say(number)
        memory.put("risk", "count", f"{number}".encode())


def use_after_exit(path):
    """Say what a call at the end of the interpreter raises after a close."""
    import atexit

    memory = opened(path)
    atexit.register(lambda: say(raised(memory.get, "risk", "limit")))
    memory.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
