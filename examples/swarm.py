"""Ten agents on one memory: they share state, talk, lock, vote, and log each step.

    python examples/swarm.py [--rounds 20] [--path DIR] [--json]

Five agents are threads and five are tasks of one event loop.  Each acts through
a handle of its own, so the engine holds them apart.  In each round an agent tells
the others what it saw and adds its view to the book they share, one at a time by
the lock `market_sync`.  Then they vote on a rebalance.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from nt_memory import (
    AgentMemoryMessage,
    Approved,
    AsyncMemorySystem,
    ConsensusEngine,
    Filter,
    LockToken,
    MemorySystem,
    MessageType,
    Proposal,
    Record,
    Vote,
)

THREADS = [f"thread-{number}" for number in range(5)]
TASKS = [f"task-{number}" for number in range(5)]
AGENTS = THREADS + TASKS
LOCK = "market_sync"
BOOK = "shared/book"
PATIENCE = 60.0


@dataclass
class Times:
    """How long each kind of step took, in seconds."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, seconds: float) -> None:
        """Note one step; lists take appends from all threads."""
        self.taken.setdefault(what, []).append(seconds)

    def table(self) -> dict[str, dict[str, float]]:
        """Return counts and percentiles in microseconds by kind."""
        return {
            what: {
                "count": len(taken),
                **{
                    f"p{share}_us": round(float(np.percentile(taken, share)) * 1e6, 1)
                    for share in (50, 95, 99)
                },
            }
            for what, taken in sorted(self.taken.items())
        }


def saw(agent: str, number: int) -> AgentMemoryMessage:
    """Return what an agent tells the others; the time is in it, to be measured at the other end."""
    return AgentMemoryMessage(
        sender_agent_id=agent,
        recipient_agent_ids="all",
        message_type=MessageType.EXPERIENCE,
        insight=f"round {number}",
        data={"sent": time.perf_counter()},
    )


def step(agent: str, what: str, memory: MemorySystem, **details: str | float) -> Record:
    """Return a line of the log."""
    return Record(
        namespace=f"swarm/{agent}/log",
        kind="step",
        agent_id=agent,
        event_time=memory.clock.now(),
        attributes={"what": what, **details},
    )


def add_view(memory: MemorySystem, agent: str, token: LockToken) -> None:
    """Add one to the agent's own line of the book and to the sum, under the lock."""
    views = int(memory.get(BOOK, agent) or b"0") + 1
    total = int(memory.get(BOOK, "total") or b"0") + 1
    memory.put_many(BOOK, {agent: b"%d" % views, "total": b"%d" % total}, fence=token)


class ThreadAgent(threading.Thread):
    """An agent that acts in one thread and listens in another."""

    def __init__(self, memory: MemorySystem, name: str, rounds: int, times: Times) -> None:
        super().__init__(name=name)
        self._memory = memory.agent(name)
        self._rounds = rounds
        self._times = times
        self._news = self._memory.subscribe("shared/updates/*", capacity=4096)

    def run(self) -> None:
        """Talk and add to the book; the listener runs beside it."""
        listener = threading.Thread(target=self._listen)
        listener.start()
        memory, name = self._memory, self.name
        for number in range(self._rounds):
            sequence = memory.publish(f"shared/updates/{name}", saw(name, number))
            memory.remember(step(name, "published", memory, sequence=float(sequence)))
            begun = time.perf_counter()
            with memory.lock(LOCK, timeout=PATIENCE) as token:
                self._times.add("lock: wait", time.perf_counter() - begun)
                add_view(memory, name, token)
            memory.remember(step(name, "added", memory, fence=float(token.number)))
        listener.join()

    def _listen(self) -> None:
        for _ in range(self._rounds * len(AGENTS)):
            message = self._news.recv(PATIENCE)
            if message.content is not None:
                delay = time.perf_counter() - message.content.data["sent"]
                self._times.add("message: to a thread", delay)
        self._news.close()


async def task_agent(
    memory: AsyncMemorySystem, name: str, rounds: int, times: Times, ready: asyncio.Event
) -> None:
    """Talk, add to the book, listen; the listener runs beside the rest."""
    news = await memory.subscribe("shared/updates/*", capacity=4096)

    async def listen() -> None:
        for _ in range(rounds * len(AGENTS)):
            message = await news.recv(PATIENCE)
            if message.content is not None:
                delay = time.perf_counter() - message.content.data["sent"]
                times.add("message: to a task", delay)
        await news.close()

    listener = asyncio.create_task(listen())
    await ready.wait()
    for number in range(rounds):
        sequence = await memory.publish(f"shared/updates/{name}", saw(name, number))
        await memory.remember(step(name, "published", memory.sync, sequence=float(sequence)))
        begun = time.perf_counter()
        async with memory.lock(LOCK, timeout=PATIENCE) as token:
            times.add("lock: wait", time.perf_counter() - begun)
            await asyncio.to_thread(add_view, memory.sync, name, token)
        await memory.remember(step(name, "added", memory.sync, fence=float(token.number)))
    await listener


async def act(memory: MemorySystem, rounds: int, times: Times) -> None:
    """Run all agents to their end."""
    ready = asyncio.Event()
    handles = [AsyncMemorySystem(memory.agent(name), max_workers=2) for name in TASKS]
    tasks = [
        asyncio.create_task(task_agent(handle, name, rounds, times, ready))
        for handle, name in zip(handles, TASKS, strict=True)
    ]
    threads = [ThreadAgent(memory, name, rounds, times) for name in THREADS]
    await asyncio.sleep(0.1)  # the tasks listen, too, before the first speaks
    ready.set()
    for thread in threads:
        thread.start()
    await asyncio.gather(*tasks)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    for handle in handles:
        await handle.close()


def rebalance(memory: MemorySystem, times: Times) -> str:
    """Let the agents vote, each for itself and by its own handle; return the result's name."""
    registry = ConsensusEngine(memory)
    for name in AGENTS:
        registry.register_agent(name, weight=1)
    first = memory.agent(AGENTS[0])
    proposal = ConsensusEngine(first).submit_proposal(
        Proposal(proposer=AGENTS[0], data={"action": "rebalance", "to": 0.5})
    )
    for name in AGENTS:
        handle = memory.agent(name)
        begun = time.perf_counter()
        result = ConsensusEngine(handle).vote(Vote(proposal, name, approve=True))
        times.add("vote", time.perf_counter() - begun)
        handle.remember(step(name, "voted", handle, result=type(result).__name__))
        if isinstance(result, Approved):
            break
    return type(registry.result(proposal)).__name__


def run(path: str, rounds: int) -> dict[str, object]:
    """Run the swarm; return what came of it."""
    times = Times()
    with MemorySystem(path) as memory:
        for name in AGENTS:
            memory.grant(name, write=["shared", LOCK])
        begun = time.perf_counter()
        asyncio.run(act(memory, rounds, times))
        result = rebalance(memory, times)
        took = time.perf_counter() - begun
        log = memory.recall(filter=Filter(kind="step"), order_by="-event_time", top_k=10_000).hits
        steps = Counter(str(hit.record.attributes["what"]) for hit in log if hit.record)
        return {
            "agents": len(AGENTS),
            "rounds": rounds,
            "seconds": round(took, 3),
            "book": int(memory.get(BOOK, "total") or b"0"),
            "proposal": result,
            "steps": dict(sorted(steps.items())),
            "problems": memory.verify(),
            "latency": times.table(),
        }


def show(found: dict[str, object]) -> None:
    """Print it for people."""
    print(f"{found['agents']} agents, {found['rounds']} rounds, {found['seconds']} s")
    print(f"the book has {found['book']} entries, the rebalance is {found['proposal']}")
    print(f"in the log: {found['steps']}; problems: {found['problems'] or 'none'}")
    latency = found["latency"]
    assert isinstance(latency, dict)
    print(f"\n{'':24}{'count':>8}{'p50':>12}{'p95':>12}{'p99':>12}")
    for what, row in latency.items():
        parts = "".join(f"{row[f'p{share}_us']:>9,.0f} us" for share in (50, 95, 99))
        print(f"{what:24}{row['count']:>8}{parts}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="of talking and locking")
    parser.add_argument("--path", help="a directory for the memory; a temporary one by default")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(arguments.path or folder, arguments.rounds)
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
