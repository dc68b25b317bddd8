"""What the processes of the tests of messages do: ``python -m listeners NAME ARGUMENTS``."""

import itertools
import os
import sys
import threading
import time

from hosts import in_fork, raised, say
from nt_memory import MemorySystem


def numbers(subscription):
    """Return the numbers of all messages that there are."""
    return [int(message.payload) for message in iter(subscription.try_recv, None)]


def publish_until_killed(path):
    """Publish numbers, and handle every other one; say so after each."""
    memory = MemorySystem(path)
    memory.configure_topic("orders/**")
    audit = memory.subscribe("orders/*", durable="audit")
    begun = len(numbers(memory.subscribe("orders/*", from_seq=0)))
    for number in itertools.count(begun):
        sequence = memory.publish("orders/btc", b"%d" % number)
        say({"published": number, "sequence": sequence})
        if number % 2:
            say({"delivered": int(audit.recv().payload)})


def interrupted_recv(named):
    """Be interrupted while nothing comes."""
    with MemorySystem(":memory:") as memory:
        listening = memory.subscribe("updates", durable="audit" if named == "named" else None)
        threading.Timer(0.1, say, ["under way"]).start()
        try:
            listening.recv()
        except KeyboardInterrupt:
            say({"at": time.monotonic()})


def fork_and_listen(path):
    """Say what a forked child is told while threads of its parent publish and listen."""
    memory = MemorySystem(path)
    memory.configure_topic("kept/*")
    live = memory.subscribe("**", capacity=1 << 16)
    named = memory.subscribe("**", durable="audit")
    busy = memory.subscribe("**", capacity=2)

    def publish():
        while True:
            memory.publish("updates", b"x")
            memory.publish("kept/updates", b"x")

    def listen():
        while True:
            raised(busy.recv)

    for work in (publish, listen):
        threading.Thread(target=work, daemon=True).start()
    calls = {
        "publish": lambda: memory.publish("updates", b"x"),
        "subscribe": lambda: memory.subscribe("**"),
        "recv": lambda: live.recv(1),
        "try_recv": live.try_recv,
        "next": lambda: next(live),
        "counts": lambda: live.counts,
        "named recv": lambda: named.recv(1),
        "acknowledge": named.acknowledge,
        "close": live.close,
    }
    say([in_fork(lambda: {name: raised(call) for name, call in calls.items()}) for _ in range(3)])
    live.recv(10)
    os._exit(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
