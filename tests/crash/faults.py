"""Stores that break the promise, so that the examiner can show that it notices."""

import os
import time
from types import SimpleNamespace

DAMAGED = bytes(100)


def _changed(store, **methods):
    names = ("get", "scan", "fetch", "vector_search", "recall_log", "configured", "commit")
    kept = {name: getattr(store, name) for name in (*names, "verify", "close")}
    return SimpleNamespace(**{**kept, **methods})


def _damaged_value(store):
    return _changed(store, recall_log=lambda _id: DAMAGED)


def _lost_value(store):
    def get(namespace, key, *as_of):
        return None if key == "0013" else store.get(namespace, key, *as_of)

    return _changed(store, get=get)


def _lost_key(store):
    def scan(*arguments):
        keys, cursor = store.scan(*arguments)
        return keys[1:], cursor

    return _changed(store, scan=scan)


def _lost_write(store):
    return _changed(store, commit=lambda _ops: True)


def _raised(error):
    def fetch(_id):
        raise error

    return lambda store: _changed(store, fetch=fetch)


def _hung(_store):
    time.sleep(3600)


def _dead(_store):
    os.abort()


def _greedy(store):
    store = _changed(store)
    store.memory = b"x" * (3 << 30)
    return store


FAULTS = {
    None: lambda store: store,
    "a damaged value": _damaged_value,
    "a lost value": _lost_value,
    "a lost key": _lost_key,
    "a lost write": _lost_write,
    "an error of Python": _raised(ValueError("that names nothing")),
    "a hang": _hung,
    "a death": _dead,
    "too much memory": _greedy,
}
