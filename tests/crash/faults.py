"""Stores that break the promise, so that the examiner can show that it notices."""

import os
import time
from types import SimpleNamespace

from nt_memory import CorruptionError

DAMAGED = bytes(100)


def _changed(store, **methods):
    names = ("get", "scan", "fetch", "vector_search", "recall_log", "configured", "commit")
    kept = {name: getattr(store, name) for name in (*names, "verify", "close")}
    return SimpleNamespace(**{**kept, **methods})


def _damaged_value(store, _path):
    return _changed(store, recall_log=lambda _id: DAMAGED)


def _lost_value(store, _path):
    def get(namespace, key, *as_of):
        return None if key == "0013" else store.get(namespace, key, *as_of)

    return _changed(store, get=get)


def _lost_key(store, _path):
    def scan(*arguments):
        keys, cursor = store.scan(*arguments)
        return keys[1:], cursor

    return _changed(store, scan=scan)


def _lost_write(store, _path):
    return _changed(store, commit=lambda _ops: True)


def _raised(error):
    def fetch(_id):
        raise error

    return lambda store, _path: _changed(store, fetch=fetch)


def _unexplained(store, path):
    def fetch(_id):
        raise CorruptionError(path)

    return _changed(store, fetch=fetch)


def _hung(_store, _path):
    time.sleep(3600)


def _dead(_store, _path):
    os.abort()


TAKEN = []


def _greedy(store, _path):
    if not TAKEN:
        TAKEN.append(b"x" * (600 << 20))
    return store


FAULTS = {
    None: lambda store, _path: store,
    "a damaged value": _damaged_value,
    "a lost value": _lost_value,
    "a lost key": _lost_key,
    "a lost write": _lost_write,
    "an error of Python": _raised(ValueError("that names nothing")),
    "an error without a place": _raised(CorruptionError("that names nothing")),
    "an error that verify does not explain": _unexplained,
    "a hang": _hung,
    "a death": _dead,
    "too much memory": _greedy,
}
