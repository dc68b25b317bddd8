"""Damage copies of stores by the thousand, and judge what comes of each."""

import json
import selectors
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crash.mutations import mutate
from crash.specimen import build
from processes import heard, python, told
from stores import MEMORY

ENGINES = ("redb", "sled")
PATIENCE = 10.0
# An examiner that meets no damage takes 60 MiB.
MOST_MEMORY = 512 << 20


@dataclass(frozen=True)
class Specimen:
    """A store whose copies are damaged, another one to take pages from, and its answers."""

    engine: str
    killed: bool
    path: Path
    donor: Path
    answers: dict

    @property
    def name(self):
        """The engine, and how the store was left."""
        return f"{self.engine} {'killed' if self.killed else 'closed'}"


def specimens(directory):
    """Make every specimen: each engine, closed well and killed."""
    made = []
    for engine in ENGINES:
        told_by_closed = build(directory / f"{engine}-closed", engine, 1)
        build(directory / f"{engine}-other", engine, 2)
        _kill_one(directory / f"{engine}-killed", engine)
        for name, killed in (("closed", False), ("killed", True)):
            path, donor = directory / f"{engine}-{name}", directory / f"{engine}-other"
            made.append(Specimen(engine, killed, path, donor, told_by_closed))
    return made


def _kill_one(path, engine):
    with python("crash.specimen", path, engine, 1) as writer:
        assert heard(writer) == "filled"
        writer.kill()
        writer.wait()


class Examiner:
    """A process that is used until it dies, and then replaced."""

    def __init__(self, patience=PATIENCE):
        self.patience = patience
        self.running = ExitStack()
        self.process = None
        self.scratch = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.close()
        shutil.rmtree(self.scratch)

    def judge(self, specimen, seed, fault=None, prepare=None):
        """Damage a copy (none without a seed); return what was done, the kind of outcome, why.

        ``prepare`` is called with the damaged directory and its engine.
        """
        path = self.scratch / str(seed)
        shutil.copytree(specimen.path, path)
        done = "nothing" if seed is None else mutate(path, specimen.donor, seed)
        if prepare:
            prepare(path, specimen.engine)
        order = {"path": str(path), "engine": specimen.engine, "fault": fault}
        kind, why = self._examined(json.dumps({**order, "expected": specimen.answers}))
        shutil.rmtree(path)
        return done, kind, why

    def _examined(self, order):
        if self.process is None:
            self.process = self.running.enter_context(python("crash.examiner"))
        told(self.process, order)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = selector.select(self.patience) and self.process.stdout.readline()
        if not line:
            return self._lost("hang" if line == [] else "death")
        kind, why, peak = json.loads(line)
        if peak > MOST_MEMORY:
            self._lost("memory")
            return "memory", f"{peak >> 20} MiB"
        return kind, why

    def _lost(self, kind):
        self.process.kill()
        code = self.process.wait()
        self.running.close()
        self.process = None
        return kind, f"exit code {code}"


# Outcomes that keep the promise.
KEPT = {"open", "read", "verify", "reopen", "harmless"}


def examined(specimens, seeds, prepare=None):
    """Judge a mutation a seed, the specimens in turn; return counts of outcomes and failures."""
    outcomes, failures = Counter(), []
    with Examiner() as examiner:
        for seed in seeds:
            specimen = specimens[seed % len(specimens)]
            done, kind, why = examiner.judge(specimen, seed, prepare=prepare)
            outcomes[specimen.name, kind] += 1
            if kind not in KEPT:
                failures.append(f"{kind}, seed {seed}, {specimen.name}, {done}: {why}")
    return outcomes, failures


def shares(count, parts):
    """Divide the seeds so that each part meets every specimen."""
    return [islice(range(count), part, None, parts) for part in range(parts)]
