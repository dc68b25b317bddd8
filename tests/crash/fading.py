"""A lane whose values expire and whose past is erased, so that the committer's sweeps write too."""

from dataclasses import dataclass, field

from crash.workload import NOW, Lane, some_bytes
from nt_memory.store import Configure, NamespaceOptions, Put

SECOND = 1_000_000
RETENTION = 8 * SECOND
LONGEST_LIFE = 12


@dataclass
class Fading(Lane):
    """A lane by itself: it moves the clock, a second a step."""

    ends: dict = field(default_factory=dict)

    @property
    def time(self):
        return NOW + self.done * SECOND

    def _operations(self, rng):
        kinds = (self._put_fading, self._put_fading, self._put, self._put_large)
        kinds += (self._write, self._settle, self._settle)
        ops = rng.choice(kinds)(rng)
        written = {op.key for op in ops if isinstance(op, Put) and op.ttl is None}
        self.ends = {key: end for key, end in self.ends.items() if key not in written}
        for key in [key for key, end in self.ends.items() if end <= self.time]:
            del self.ends[key], self.values[key]
        options = NamespaceOptions(history=True, retention=RETENTION)
        return ops if self.done > 1 else [Configure(self.namespace, options), *ops]

    def _put_fading(self, rng):
        key, value = f"small-{rng.randrange(6):02}", some_bytes(rng, 0, 2000)
        life = rng.randint(1, LONGEST_LIFE) * SECOND
        self.values[key], self.ends[key] = value, self.time + life
        return [Put(self.namespace, key, value, life)]


KINDS = {"Lane": Lane, "Fading": Fading}
