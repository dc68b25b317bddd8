"""Old trajectories in blocks of lz4: what they were, in a fraction of the room.

A trajectory that has been distilled is seldom looked at itself.  Compression
replaces it: its record is forgotten, so that its vectors leave the index, and
its content lies in a block with up to a thousand others.  What comes back is
what went in, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import numpy as np

from nt_memory._retrying import retried
from nt_memory._values import pack, unpack
from nt_memory._walking import walk
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import (
    ConflictError,
    CorruptionError,
    ForgottenError,
    RecordNotFoundError,
)
from nt_memory.filters import Filter
from nt_memory.reasoning import _form
from nt_memory.reasoning.columnar import from_columns, shuffle, to_columns, unshuffle
from nt_memory.store import (
    Delete,
    Expect,
    ExpectUnchanged,
    Forget,
    Op,
    Put,
    Query,
    RawRecord,
    Write,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from nt_memory.reasoning.trajectory import Observation, Trajectory
    from nt_memory.store import Store, Vector

KIND = "trajectory_block"
_NONE, _KEPT, _REBUILT = range(3)
_FLOAT = np.dtype(np.float32)


class WindowEncoder(Protocol):
    """What makes the vector of an observation from the window that it was seen in.

    An embedding that it rebuilds to the bit need not be kept.
    """

    @property
    def id(self) -> str:
        """Name and version of the encoder."""
        ...

    def encode(self, observation: Observation, /) -> npt.ArrayLike | None:
        """Return the vector of an observation; None where its window is not at hand."""
        ...


@dataclass(frozen=True, slots=True)
class Compression:
    """What a compression did, in bytes.

    Payloads are all but the vectors; ids stay as they were and are not counted.

    Parameters
    ----------
    trajectories, blocks
        How many went into how many.
    payload_before, payload_after
        Of the payloads.
    embeddings_before, embeddings_after
        Of the vectors.
    rebuilt
        How many vectors were dropped because their encoder rebuilds them to the bit.
    """

    trajectories: int = 0
    blocks: int = 0
    payload_before: int = 0
    payload_after: int = 0
    embeddings_before: int = 0
    embeddings_after: int = 0
    rebuilt: int = 0

    @property
    def ratio(self) -> float | None:
        """How many times smaller the payloads are; None where nothing was compressed."""
        return self.payload_before / self.payload_after if self.payload_after else None

    def __add__(self, other: Compression) -> Compression:
        mine, theirs = ([getattr(each, name) for name in self.__slots__] for each in (self, other))
        return Compression(*(a + b for a, b in zip(mine, theirs, strict=True)))


class Blocks:
    """The blocks of a store.

    Parameters
    ----------
    store
        Where they are.
    encoder
        Rebuilds vectors that were dropped; the one that they were dropped with.
    """

    def __init__(self, store: Store, encoder: WindowEncoder | None = None) -> None:
        self._store = store
        self._encoder = encoder

    def replace(self, ids: Sequence[str], at: int) -> Compression:
        """Put trajectories of one agent into a block, in one batch; those that may be.

        Each is read once more: what was told of it meanwhile goes along, and one of which
        something is told that is not known yet stays.
        """
        return retried(lambda: self._replace(ids, at))

    def _replace(self, ids: Sequence[str], at: int) -> Compression:
        raws = [raw for raw in map(self._whole, ids) if raw is not None]
        if not raws:
            return Compression()
        trajectories = [_form.read(raw) for raw in raws]
        made, told = self._block(trajectories, at)
        outcomes = (raw.outcome.payload for raw in raws if raw.outcome is not None)
        before = sum(len(part) for part in (*(raw.payload for raw in raws), *outcomes) if part)
        ids = [raw.id for raw in raws]
        index = _index_of(made.agent_id or "")
        # Whoever compresses at the same time is refused, whole, and so is what was read before
        # something else was told of it.
        ops: list[Op] = [Expect(index, id_, None) for id_ in ids]
        ops += [ExpectUnchanged([raw.id], raw.commit) for raw in raws]
        ops += [Put(index, id_, made.id.encode()) for id_ in ids]
        self._store.commit([*ops, Write(made), Forget(ids)])
        vectors = sum(v.nbytes for each in trajectories for v in _form.vectors_of(each))
        return Compression(
            len(ids),
            1,
            before - vectors,
            told["columns"],
            vectors,
            told["vectors"],
            told["rebuilt"],
        )

    def _whole(self, id_: str) -> RawRecord | None:
        """Return the last version of a trajectory; None where a part of it is yet to show."""
        try:
            shown, last = self._store.fetch(id_), self._store.versions(id_)[-1]
        except (ForgottenError, RecordNotFoundError):
            return None
        is_whole = shown is not None and shown.version == last.version and _form.readable(last)
        return last if is_whole else None

    def get(self, id_: str, as_of: int | None) -> Trajectory:
        """Return a trajectory from its block, with the outcomes that were known at a time.

        Raises
        ------
        ForgottenError
            It is in no block, or had not ended at that time.
        """
        home = self._home(id_)
        if home is None:
            msg = f"record {id_} was forgotten; its content is gone"
            raise ForgottenError(msg)
        return _as_of(self._read(home)[id_], as_of)

    def find(self, ids: Iterable[str], agents: Sequence[str], as_of: int) -> Iterator[Trajectory]:
        """Go through those of some trajectories that are in blocks; each block is read once."""
        by_block: dict[str, list[str]] = {}
        for id_ in ids:
            home = self._home(id_, agents)
            if home is not None:
                by_block.setdefault(home, []).append(id_)
        for home, members in by_block.items():
            content = self._read(home)
            yield from (_as_of(content[id_], as_of) for id_ in members)

    def forget(self, ids: Iterable[str]) -> int:
        """Erase trajectories from their blocks, which are written anew; return how many."""
        wanted = set(ids)
        erased = 0
        while wanted:
            id_ = next(iter(wanted))
            home = self._home(id_)
            if home is None:
                wanted.discard(id_)
                continue
            try:
                done = self._forget_in(home, wanted)
            except (ConflictError, ForgottenError):  # somebody else wrote the block anew
                continue
            wanted -= done
            erased += len(done)
        return erased

    def _forget_in(self, home: str, wanted: set[str]) -> set[str]:
        """Write a block anew without some of its trajectories; return which those were."""
        last = self._store.versions(home)[-1]
        index = _index_of(last.agent_id or "")
        content = self._read(home)
        gone = content.keys() & wanted
        rest = [each for id_, each in content.items() if id_ not in gone]
        ops: list[Op] = [Expect(index, id_, home.encode()) for id_ in content]
        ops += [Delete(index, id_) for id_ in gone]
        if rest:
            made, _ = self._block(rest, last.known_at)
            ops += [Write(made), *(Put(index, each.id, made.id.encode()) for each in rest)]
        self._store.commit([*ops, Forget([home])])
        return gone

    def count(self, agent_id: str | None) -> int:
        """Return how many trajectories are in blocks."""
        return sum(int(_number(raw.attributes["n"])) for raw in self._blocks(agent_id))

    def agents(self) -> list[str]:
        """Return the agents that have blocks."""
        return sorted({raw.agent_id for raw in self._blocks(None) if raw.agent_id is not None})

    def _blocks(self, agent_id: str | None) -> Iterator[RawRecord]:
        namespace = None if agent_id is None else _form.namespace_of(agent_id)
        wanted = Filter(kind=KIND).tree()
        return walk(self._store, Query(namespace=namespace, filter=wanted, order_by="event_time"))

    def _home(self, id_: str, agents: Sequence[str] | None = None) -> str | None:
        """Return the block of a trajectory."""
        for agent in self.agents() if agents is None else agents:
            found = self._store.get(_index_of(agent), id_)
            if found is not None:
                return found.decode()
        return None

    def _block(
        self, trajectories: Sequence[Trajectory], at: int
    ) -> tuple[RawRecord, dict[str, int]]:
        bodies = [
            {**_form.body_of(each), "outcomes": _form.outcomes_of(each.outcomes)}
            for each in trajectories
        ]
        seen = [observation for each in trajectories for observation in each.observations]
        kinds = [self._kind(observation) for observation in seen]
        kept = [
            observation.embedding
            for observation, kind in zip(seen, kinds, strict=True)
            if kind == _KEPT and observation.embedding is not None
        ]
        matrix = np.array(kept, dtype=np.float32).reshape(len(kept), len(kept[0]) if kept else 0)
        columns, vectors = _compress(to_columns(bodies)), _compress(shuffle(matrix))
        body = {
            "ids": [each.id for each in trajectories],
            "columns": columns,
            "kinds": bytes(kinds),
            "vectors": vectors,
            "shape": list(matrix.shape),
            # What is rebuilt is compared: an encoder may have changed under its name.
            "checks": [
                crc32(observation.embedding.tobytes())
                for observation, kind in zip(seen, kinds, strict=True)
                if kind == _REBUILT and observation.embedding is not None
            ],
            "encoder": self._encoder.id if self._encoder and _REBUILT in kinds else None,
        }
        agent = trajectories[0].agent_id
        made = RawRecord(
            id=self._store.new_id(),
            namespace=_form.namespace_of(agent),
            kind=KIND,
            event_time=min(to_micros(each.start_time) for each in trajectories),
            known_at=at,
            agent_id=agent,
            attributes={"n": float(len(trajectories))},
            payload=pack(body),
            writer=agent,
        )
        rebuilt = kinds.count(_REBUILT)
        return made, {"columns": len(columns), "vectors": len(vectors), "rebuilt": rebuilt}

    def _kind(self, observation: Observation) -> int:
        if observation.embedding is None:
            return _NONE
        made = None if self._encoder is None else self._encoder.encode(observation)
        if made is None:
            return _KEPT
        again = np.asarray(made)
        same = again.dtype == _FLOAT and again.tobytes() == observation.embedding.tobytes()
        return _REBUILT if same else _KEPT

    def _read(self, block_id: str) -> dict[str, Trajectory]:
        body = unpack(self._store.versions(block_id)[-1].payload or b"")
        rows, checks = iter(_vectors(body)), iter(body["checks"])
        kinds = iter(body["kinds"])
        found = {}
        for id_, told in zip(body["ids"], from_columns(_decompress(body["columns"])), strict=True):
            vectors: list[Vector] = []
            missing = []
            for place in range(len(told["observations"])):
                kind = next(kinds)
                if kind == _KEPT:
                    vectors.append(next(rows))
                elif kind == _REBUILT:
                    missing.append((place, len(vectors)))
                    vectors.append(np.zeros(0, dtype=np.float32))
            trajectory = _form.assemble(id_, told, vectors)
            for place, _ in missing:
                self._rebuild(trajectory, place, body["encoder"], next(checks))
            found[id_] = trajectory
        return found

    def _rebuild(self, trajectory: Trajectory, place: int, encoder: str, check: int) -> None:
        if self._encoder is None or self._encoder.id != encoder:
            msg = (
                f"vectors of {trajectory.id} were dropped: give encoder {encoder!r} to rebuild them"
            )
            raise ValueError(msg)
        seen = trajectory.observations[place]
        made = self._encoder.encode(seen)
        again = None if made is None else np.asarray(made)
        if again is None or crc32(again.tobytes()) != check:
            msg = f"encoder {encoder!r} does not rebuild the observation at {seen.at} any more"
            raise CorruptionError(msg)
        trajectory.observations[place] = type(seen)(seen.at, seen.data, again)


def _index_of(agent_id: str) -> str:
    """Return where it stands which block a trajectory is in."""
    return f"swarm/{agent_id}/blocks"


def _vectors(body: dict[str, Any]) -> list[Vector]:
    rows, dim = body["shape"]
    numbers = unshuffle(_decompress(body["vectors"]), _FLOAT, rows * dim).reshape(rows, dim)
    numbers.setflags(write=False)
    return list(numbers)


def _as_of(trajectory: Trajectory, as_of: int | None) -> Trajectory:
    if as_of is None:
        return trajectory
    at = from_micros(as_of)
    if at < trajectory.last_time:
        msg = (
            f"trajectory {trajectory.id} was compressed: ask as of its end, "
            f"{trajectory.last_time.isoformat()}, or later"
        )
        raise ForgottenError(msg)
    trajectory.outcomes = [each for each in trajectory.outcomes if each.known_at <= at]
    return trajectory


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _compress(data: bytes) -> bytes:
    from nt_memory import _native  # the extension is loaded when it is first used

    return _native.compress(data)


def _decompress(block: bytes) -> bytes:
    from nt_memory import _native  # as above

    return _native.decompress(block)
