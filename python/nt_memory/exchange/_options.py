"""The options of namespaces: in the header of a file, and into a memory."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory.errors import NtMemoryError, SerializationError
from nt_memory.exchange._checks import named
from nt_memory.store import Configure, NamespaceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.store import Store

_FIELDS = tuple(field.name for field in fields(NamespaceOptions))
_NONE = NamespaceOptions()


def chosen(store: Store, namespace: str | None) -> dict[str, NamespaceOptions]:
    """Return the namespaces that have options, those at or below a namespace if one is given."""
    return {
        name: options
        for name, options in sorted(store.configured().items())
        if options != _NONE and (namespace is None or f"{name}/".startswith(f"{namespace}/"))
    }


def told(options: Mapping[str, NamespaceOptions]) -> dict[str, Any]:
    """Return options as the header has them; durations in microseconds."""
    return {name: asdict(its) for name, its in options.items()}


def taken(header: Mapping[str, Any]) -> dict[str, NamespaceOptions]:
    """Return the options that a header has; a file from before they were told has none."""
    found = header.get("namespaces", {})
    if not isinstance(found, dict):
        msg = f"namespaces is {type(found).__name__}, not an object"
        raise SerializationError(msg)
    return {name: _options(f"the options of {shown(name)}", its) for name, its in found.items()}


def _options(what: str, its: Any) -> NamespaceOptions:
    if isinstance(its, dict):
        its = {"fenced": None, **its}  # a file from before it was told has none
    named(its, _FIELDS, what)
    if not isinstance(its["history"], bool):
        msg = f"{what}: history is {shown(its['history'])}, not true or false"
        raise SerializationError(msg)
    for field in ("ttl", "retention"):
        if its[field] is not None and (type(its[field]) is not int or not 0 < its[field] < 2**63):
            msg = f"{what}: {field} is {shown(its[field])}, not a number of microseconds"
            raise SerializationError(msg)
    if its["fenced"] is not None and not isinstance(its["fenced"], str):
        msg = f"{what}: fenced is {shown(its['fenced'])}, not the name of a lock"
        raise SerializationError(msg)
    return NamespaceOptions(**its)


def missing(store: Store, wanted: Mapping[str, NamespaceOptions]) -> list[Configure]:
    """Return what gives a store the options that it has not yet.

    Raises
    ------
    ValueError
        A namespace has others.
    SerializationError
        A namespace is not well formed.
    """
    there = store.configured()
    for name, options in wanted.items():
        if there.get(name, _NONE) not in (_NONE, options):
            msg = (
                f"namespace {name!r} has {there[name]} in this memory, and {options} in the file: "
                "configure it as the file says, or import with options=False"
            )
            raise ValueError(msg)
    ops = [Configure(name, its) for name, its in wanted.items() if there.get(name, _NONE) != its]
    try:
        if ops:
            store.commit(ops, dry_run=True)
    except NtMemoryError as error:
        raise SerializationError(str(error)) from error
    return ops
