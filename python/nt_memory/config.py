"""Configuration of a memory: frozen dataclasses, the environment, a TOML file."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import mapping
from nt_memory.clock import Clock, Duration, micros

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    Metric = Literal["cosine"]
    Engine = Literal["auto", "exact", "compact", "hnsw_rs"]
    Quantization = Literal["f16", "f32", "i8"]
    ColdEngine = Literal["redb", "sled", "memory"]
    Durability = Literal["group", "none"]

PREFIX = "NT_MEMORY_"
MEMORY = ":memory:"
MIB = 1 << 20
_MAX_FILE = 16 * 1024
_MAX_COUNT = 2**63 - 1
_MAX_DIM = 8192
_MAX_M = 64
_MAX_EF = 4096
_MAX_SEED = 2**64 - 1


def _count(name: str, value: object, low: int, high: int = _MAX_COUNT) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        msg = f"{name}={shown(value)}: give an integer from {low:,} to {high:,}"
        raise ValueError(msg)


def _choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        msg = f"{name}={shown(value)}: give one of {', '.join(map(repr, known))}"
        raise ValueError(msg)


def _flag(name: str, value: object) -> None:
    if value is not True and value is not False:
        msg = f"{name}={shown(value)}: give True or False"
        raise ValueError(msg)


def _instance(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        msg = f"{name}={shown(value)}: give a {kind.__name__}"
        raise ValueError(msg)  # noqa: TRY004 (a bad setting is a ValueError)


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """The hot tier (L1).

    Parameters
    ----------
    max_entries
        Most values held, 1 or more.
    ttl
        How long a copy stays before it is read from L3 again; longer than zero.
    track_access
        False writes no access time on a read and evicts by age of insertion.
    max_bytes
        Most bytes held, 1 or more.
    """

    max_entries: int = 100_000
    ttl: Duration = timedelta(hours=1)
    track_access: bool = True
    max_bytes: int = 256 * MIB

    def __post_init__(self) -> None:
        _count("cache.max_entries", self.max_entries, 1)
        if micros(self.ttl, "cache.ttl") < 1:
            msg = f"cache.ttl={shown(self.ttl)}: give at least a microsecond"
            raise ValueError(msg)
        _flag("cache.track_access", self.track_access)
        _count("cache.max_bytes", self.max_bytes, 1)


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """A space of embeddings that can be compared.

    Parameters
    ----------
    dim
        Length of its vectors, 1 to 8,192.
    metric
        ``"cosine"``.
    encoder
        Id of the encoder that makes its vectors; another one is refused.
    """

    dim: int = 256
    metric: Metric = "cosine"
    encoder: str | None = None

    def __post_init__(self) -> None:
        _count("space.dim", self.dim, 1, _MAX_DIM)
        _choice("space.metric", self.metric, ("cosine",))
        if self.encoder is not None and (not isinstance(self.encoder, str) or not self.encoder):
            msg = f"space.encoder={shown(self.encoder)}: give the id of an encoder, or None"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class VectorConfig:
    """The vector tier (L2).

    Parameters
    ----------
    engine
        ``"exact"`` looks at every candidate; ``"compact"`` keeps a graph (HNSW)
        over each space; ``"auto"`` keeps one over spaces of 10,000 vectors or
        more; ``"hnsw_rs"`` has the crate of that name keep one over each, which
        takes longer to build and several times the memory.  Recalls at a past
        time are exact with each of them.
    m
        Links of a node of the graph, 4 to 64; twice as many on its lowest level.
    ef_construction
        Nodes looked at for the links of a new one, `m` to 4,096.
    ef_search
        Nodes that a search keeps on its way, 1 to 4,096: more find more, and
        take longer.
    quantization
        How a vector is kept in memory: ``"f16"`` or ``"f32"``; ``"i8"`` takes half
        of ``"f16"``, chooses with bytes and scores by what is on the disk, so that
        an exact answer is that of ``"f16"`` to the bit, and takes longer.
    """

    engine: Engine = "auto"
    m: int = 16
    ef_construction: int = 200
    ef_search: int = 64
    quantization: Quantization = "f16"

    def __post_init__(self) -> None:
        _choice("vector.engine", self.engine, ("auto", "exact", "compact", "hnsw_rs"))
        _count("vector.m", self.m, 4, _MAX_M)
        _count("vector.ef_construction", self.ef_construction, self.m, _MAX_EF)
        _count("vector.ef_search", self.ef_search, 1, _MAX_EF)
        _choice("vector.quantization", self.quantization, ("f16", "f32", "i8"))

    @property
    def stored_code(self) -> str:
        """The code that scores come from: ``"f16"`` or ``"f32"``."""
        return "f16" if self.quantization == "i8" else self.quantization


def _default_spaces() -> dict[str, VectorSpace]:
    return {"state": VectorSpace(), "text": VectorSpace()}


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """Everything a memory can be told when it is opened.

    Parameters
    ----------
    cache, vector
        The hot tier and the vector tier.
    storage_path
        The directory; one process owns it.  Not used by the engine ``"memory"``.
    cold_engine
        ``"redb"``, ``"sled"``, or ``"memory"``, which keeps nothing.
    spaces
        The embedding spaces by name.  ``"text"`` is the one that text goes to.
    enable_compression
        Compress values over 1 KiB.
    max_memory_bytes
        Most bytes of the hot and the vector tier together, 1 MiB or more.
    durability
        ``"group"``: a write is on the disk when it returns, sharing an fsync
        with others; ``"none"``: it is on the disk after `flush` or `close`,
        and a process that dies before may lose it.
    clock
        The only source of time; the machine's by default.
    seed
        For ids under a `ManualClock`; 0 to 2**64 - 1.

    Raises
    ------
    ValueError
        Naming the field, its value and the range.

    Examples
    --------
    >>> MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=8)}).cache.max_entries
    100000
    """

    cache: CacheConfig = CacheConfig()
    storage_path: str | Path = "./data/memory"
    cold_engine: ColdEngine = "redb"
    spaces: Mapping[str, VectorSpace] = field(default_factory=_default_spaces)
    vector: VectorConfig = VectorConfig()
    enable_compression: bool = True
    max_memory_bytes: int = 1024 * MIB
    durability: Durability = "group"
    clock: Clock | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        _instance("cache", self.cache, CacheConfig)
        _instance("vector", self.vector, VectorConfig)
        if not isinstance(self.storage_path, (str, os.PathLike)) or "://" in str(self.storage_path):
            given = shown(_without_secret(self.storage_path))
            msg = f"storage_path={given}: give a directory of this machine"
            raise ValueError(msg)
        _choice("cold_engine", self.cold_engine, ("redb", "sled", "memory"))
        for name, space in mapping("spaces", self.spaces).items():
            _instance(f"spaces[{shown(name)}]", space, VectorSpace)
        object.__setattr__(self, "spaces", dict(self.spaces))
        _flag("enable_compression", self.enable_compression)
        _count("max_memory_bytes", self.max_memory_bytes, MIB)
        _choice("durability", self.durability, ("group", "none"))
        if self.clock is not None:
            _instance("clock", self.clock, Clock)
        if self.seed is not None:
            _count("seed", self.seed, 0, _MAX_SEED)

    @classmethod
    def of(cls, target: str | Path | MemoryConfig) -> MemoryConfig:
        """Return the configuration that a path, ``":memory:"`` or a configuration means."""
        if isinstance(target, MemoryConfig):
            return target
        if target == MEMORY:
            return cls(cold_engine="memory")
        return cls(storage_path=target)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> MemoryConfig:
        """Read ``NT_MEMORY_*``.

        A name is that of the field in upper case, with ``CACHE_`` or
        ``VECTOR_`` before a field of those; ``SPACES`` is ``name=dim`` with
        commas between; the cache's ttl is in seconds.

        Raises
        ------
        ValueError
            A variable with this prefix that is not known, or a bad value.

        Examples
        --------
        >>> MemoryConfig.from_env({"NT_MEMORY_CACHE_MAX_ENTRIES": "10"}).cache.max_entries
        10
        """
        tables: dict[str, Any] = {}
        given = os.environ if environ is None else mapping("environ", environ)
        for name, value in given.items():
            if not isinstance(name, str) or not name.startswith(PREFIX):
                continue
            key = name.removeprefix(PREFIX).lower()
            if key not in _FROM_ENV:
                known = ", ".join(PREFIX + known.upper() for known in _FROM_ENV)
                # Its value may be a secret of something else.
                msg = f"{name} is no setting; known are {known}"
                raise ValueError(msg)
            table, _, entry = key.partition("_")
            into = tables.setdefault(table, {}) if table in _TABLES else tables
            into[entry if table in _TABLES else key] = _parse(name, value, _FROM_ENV[key])
        return _build(tables)

    @classmethod
    def from_toml(cls, path: str | Path) -> MemoryConfig:
        """Read a TOML file: the fields, and tables ``[cache]``, ``[vector]``, ``[spaces.NAME]``.

        Raises
        ------
        ValueError
            The file is no TOML, is longer than 16 KiB, holds a name that is not
            known, or a bad value.
        """
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        text = _read(path)
        try:
            return _build(tomllib.loads(text.decode()))
        except (ValueError, RecursionError) as error:
            msg = f"{path}: {error}"
            raise ValueError(msg) from error


def _without_secret(target: object) -> object:
    """Return a URL without the name and password in it, anything else as it is."""
    if not isinstance(target, str) or "@" not in target:
        return target
    scheme, separator, rest = target.partition("://")
    return f"{scheme}{separator}...@{rest.rpartition('@')[2]}" if separator else target


def _read(path: str | Path) -> bytes:
    if not isinstance(path, (str, os.PathLike)):  # an integer would be somebody's open file
        msg = f"path={shown(path)}: give the path of a TOML file"
        raise TypeError(msg)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib is slow to import)
            text = file.read(_MAX_FILE + 1)
    except ValueError as error:  # lone surrogates, NUL
        msg = f"path={shown(path)}: {error}"
        raise ValueError(msg) from error
    if (
        len(text) > _MAX_FILE
    ):  # time and memory of the parser grow with the square of a key's length
        msg = f"{path}: a configuration has at most {_MAX_FILE:,} bytes"
        raise ValueError(msg)
    return text


_TABLES: Mapping[str, Callable[..., Any]] = {"cache": CacheConfig, "vector": VectorConfig}
_FROM_ENV: Mapping[str, type] = {
    "cache_max_entries": int,
    "cache_ttl": float,
    "cache_track_access": bool,
    "cache_max_bytes": int,
    "vector_engine": str,
    "vector_m": int,
    "vector_ef_construction": int,
    "vector_ef_search": int,
    "vector_quantization": str,
    "storage_path": str,
    "cold_engine": str,
    "spaces": dict,
    "enable_compression": bool,
    "max_memory_bytes": int,
    "durability": str,
    "seed": int,
}
_BOOLS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _build(tables: Mapping[str, Any]) -> MemoryConfig:
    fields = dict(tables)
    if "clock" in fields:
        msg = f"clock={shown(fields['clock'])}: a clock is given in code, MemoryConfig(clock=...)"
        raise ValueError(msg)
    for name, made in _TABLES.items():
        if name in fields:
            fields[name] = _make(name, made, fields[name])
    if "spaces" in fields:
        spaces = fields["spaces"]
        if not isinstance(spaces, Mapping):
            msg = f"spaces={shown(spaces)}: give a table, as in [spaces.state]"
            raise ValueError(msg)
        fields["spaces"] = {
            name: _make(f"spaces.{name}", VectorSpace, space) for name, space in spaces.items()
        }
    made_config = _make("", MemoryConfig, fields)
    assert isinstance(made_config, MemoryConfig)  # noqa: S101 (for the type checker)
    return made_config


def _make(name: str, made: Callable[..., Any], fields: object) -> Any:
    if not isinstance(fields, Mapping):
        msg = f"{name}={shown(fields)}: give a table, as in [{name}]"
        raise ValueError(msg)  # noqa: TRY004 (a bad setting is a ValueError)
    known = [known.name for known in dataclasses.fields(made)]  # type: ignore[arg-type]
    for key in fields:
        if key not in known:
            full = f"{name}.{key}" if name else key
            msg = f"{shown(full)} is no setting; known are {', '.join(known)}"
            raise ValueError(msg)
    return made(**fields)


def _parse(name: str, value: str, kind: type) -> object:
    if not isinstance(value, str):
        msg = f"{name}={shown(value)}: give a string, as the environment does"
        raise TypeError(msg)
    try:
        if kind is bool:
            return _BOOLS[value.strip().lower()]
        if kind is dict:
            pairs = (pair.split("=") for pair in value.split(","))
            return {space.strip(): {"dim": int(dim)} for space, dim in pairs}
        return kind(value)
    except (ValueError, KeyError, OverflowError) as error:
        expected = {bool: "true or false", dict: "name=dim,name=dim", int: "an integer"}
        msg = f"{name}={shown(value)}: give {expected.get(kind, 'a number')}"
        raise ValueError(msg) from error
