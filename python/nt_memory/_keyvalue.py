"""The key-value half of `MemorySystem`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nt_memory._handle import Handle
from nt_memory._shown import shown
from nt_memory._values import as_bytes, mapping, pack, unpack
from nt_memory.clock import micros, to_micros
from nt_memory.errors import ConflictError, SerializationError
from nt_memory.store import Configure, Delete, Expect, Increment, NamespaceOptions, Put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.clock import Duration
    from nt_memory.locks import LockToken

_MAX_PAGE = 1_000_000
_WAY_OUT = "give bytes, or use put_json or put_array"


class KeyValue(Handle):
    """Values by namespace and key; each call that writes is one durable batch."""

    def get(self, namespace: str, key: str, as_of: datetime | None = None) -> bytes | None:
        """Return the value of a key, or None where there is none.

        A value that was read or written lately comes from memory.

        Parameters
        ----------
        namespace, key
            Where it is.
        as_of
            Ask for the value at that time instead; needs a namespace
            configured with ``history=True``.

        Raises
        ------
        ValueError
            ``as_of`` is naive, or the namespace keeps no history.
        HorizonError
            ``as_of`` lies before the history began, or before what retention
            has left.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     memory.put("risk", "limit", b"5")
        ...     memory.get("risk", "limit")
        b'5'
        """
        at = None if as_of is None else to_micros(as_of, "as_of")
        return self._store.get(namespace, key, at)

    def put(
        self,
        namespace: str,
        key: str,
        value: bytes,
        ttl: Duration | None = None,
        *,
        fence: LockToken | None = None,
    ) -> None:
        """Set a key; it is on the disk on return.

        Parameters
        ----------
        namespace
            1 to 8 segments of ``[A-Za-z0-9._-]`` joined by ``/``.
        key
            Up to 1 KiB.
        value
            Up to 64 MiB.
        ttl
            From the commit on; None takes the namespace's.
        fence
            Write only while this lock is held; every method that writes takes it.

        Raises
        ------
        NamespaceError
            The namespace or the key is not well formed.
        StaleTokenError
            The lock of ``fence`` is not held any more, or the namespace is
            configured with ``fenced`` and the write has not that lock.
        """
        self._commit([_put(namespace, key, value, ttl)], fence)

    def put_many(
        self,
        namespace: str,
        values: Mapping[str, bytes],
        ttl: Duration | None = None,
        *,
        fence: LockToken | None = None,
    ) -> None:
        """Set several keys in one batch: all of them or none.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     memory.put_many("risk", {"limit": b"5", "pause": b"3"})
        ...     memory.get_many("risk", ["pause", "streak", "limit"])
        [b'3', None, b'5']
        """
        puts = [
            _put(namespace, key, value, ttl) for key, value in mapping("values", values).items()
        ]
        if puts:
            self._commit(puts, fence)

    def get_many(self, namespace: str, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of several keys in their order, None where there is none."""
        get = self._store.get
        return [get(namespace, key) for key in keys]

    def delete(self, namespace: str, key: str, *, fence: LockToken | None = None) -> bool:
        """Remove a key; return whether it existed."""
        return bool(self._commit([Delete(namespace, key)], fence)[0])

    def exists(self, namespace: str, key: str) -> bool:
        """Return whether a key has a value."""
        return self._store.get(namespace, key) is not None

    def keys(
        self, namespace: str, prefix: str = "", limit: int = 1000, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """List keys in the order of their bytes.

        Returns
        -------
        tuple
            Up to ``limit`` keys, and the cursor to go on with; None at the end.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     memory.put_many("models", {"a/1": b"", "a/2": b"", "b/1": b""})
        ...     memory.keys("models", prefix="a/", limit=1)
        (['a/1'], 'a/1')
        """
        if not 1 <= limit <= _MAX_PAGE:
            msg = f"limit={shown(limit)}: give 1 to {_MAX_PAGE:,}"
            raise ValueError(msg)
        return self._store.scan(namespace, prefix, limit, cursor)

    def compare_and_set(
        self,
        namespace: str,
        key: str,
        expected: bytes | None,
        value: bytes,
        *,
        fence: LockToken | None = None,
    ) -> bool:
        """Set a key if it holds exactly ``expected`` (None: nothing); return whether it did.

        Check and write are one batch: of several that try, one wins.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     memory.compare_and_set("risk", "leader", None, b"hedge")
        ...     memory.compare_and_set("risk", "leader", None, b"wyckoff")
        True
        False
        """
        if expected is not None:
            expected = as_bytes("expected", expected, _WAY_OUT)
        try:
            self._commit(
                [Expect(namespace, key, expected), _put(namespace, key, value, None)], fence
            )
        except ConflictError:
            return False
        return True

    def increment(
        self,
        namespace: str,
        key: str,
        by: int = 1,
        ttl: Duration | None = None,
        *,
        fence: LockToken | None = None,
    ) -> int:
        """Add to a decimal counter (absent counts as 0) and return the new value.

        ``ttl`` is taken when the counter is created and kept afterwards, so a
        counter with a ttl counts within a fixed window.

        Raises
        ------
        ValueError
            The value is no decimal number, or the sum leaves 64 bits.
        """
        op = Increment(namespace, key, by, None if ttl is None else micros(ttl, "ttl"))
        return int(self._commit([op], fence)[0])

    def put_json(
        self,
        namespace: str,
        key: str,
        value: object,
        ttl: Duration | None = None,
        *,
        fence: LockToken | None = None,
    ) -> None:
        """Set a key to the JSON text of a value.

        Raises
        ------
        SerializationError
            The value is not made of JSON types, or holds NaN or infinity.
        """
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            data = text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            msg = f"no JSON for {_place(namespace, key)}: {error}"
            raise SerializationError(msg) from error
        self.put(namespace, key, data, ttl, fence=fence)

    def get_json(self, namespace: str, key: str) -> Any:
        """Return what `put_json` set, or None where there is nothing.

        Raises
        ------
        SerializationError
            The value is no JSON.
        """
        value = self._store.get(namespace, key)
        if value is None:
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            msg = f"the value of {_place(namespace, key)} is no JSON: {error}"
            raise SerializationError(msg) from error

    def put_array(
        self,
        namespace: str,
        key: str,
        array: npt.NDArray[Any],
        ttl: Duration | None = None,
        *,
        fence: LockToken | None = None,
    ) -> None:
        """Set a key to a NumPy array, with its dtype and shape.

        Raises
        ------
        SerializationError
            It is no array of numbers.
        """
        import numpy as np

        if not isinstance(array, np.ndarray):
            msg = f"{type(array).__name__} for {_place(namespace, key)}: give a NumPy array"
            raise SerializationError(msg)
        self.put(namespace, key, pack(array), ttl, fence=fence)

    def get_array(self, namespace: str, key: str) -> npt.NDArray[Any] | None:
        """Return what `put_array` set, or None where there is nothing.

        Raises
        ------
        SerializationError
            The value is no array.
        """
        import numpy as np

        value = self._store.get(namespace, key)
        if value is None:
            return None
        array = unpack(value)
        if not isinstance(array, np.ndarray):
            msg = f"the value of {_place(namespace, key)} is no array"
            raise SerializationError(msg)
        return array

    def configure_namespace(
        self,
        namespace: str,
        *,
        history: bool = False,
        ttl: Duration | None = None,
        retention: Duration | None = None,
        fenced: str | None = None,
    ) -> None:
        """Set all options of a namespace (exactly this one, not those below it).

        Parameters
        ----------
        namespace
            Which.
        history
            Keep former values of keys, for ``get(..., as_of=...)``. It begins
            when it is switched on, with a copy of what the namespace holds, and
            is erased when it is switched off.
        ttl
            Hide values and records this long after they were written or known,
            unless they say otherwise.
        retention
            Erase what has been hidden or superseded for this long; a time
            further back is a `HorizonError`.
        fenced
            Write only with this lock, as ``fence=token``. To forget and to
            configure is not to write.
        """
        options = NamespaceOptions(
            history=history,
            ttl=None if ttl is None else micros(ttl, "ttl"),
            retention=None if retention is None else micros(retention, "retention"),
            fenced=fenced,
        )
        self._commit([Configure(namespace, options)])


def _place(namespace: object, key: object) -> str:
    return f"{shown(namespace)}/{shown(key)}".replace("'", "")


def _put(namespace: str, key: str, value: object, ttl: Duration | None) -> Put:
    return Put(
        namespace,
        key,
        as_bytes("value", value, _WAY_OUT),
        None if ttl is None else micros(ttl, "ttl"),
    )
