"""The process that opens damaged stores: it says what came of each, and may die of it."""

import json
import os
import resource
import sys
from pathlib import Path

from crash.faults import FAULTS
from crash.specimen import answer, questions
from crash.workload import open_store
from nt_memory import NtMemoryError
from nt_memory.store import Put

ADDRESSES = 8 << 30


class BrokenError(Exception):
    """The promise is broken."""

    kind = ""


class WrongAnswerError(BrokenError):
    """What was written is not what is read."""

    kind = "wrong answer"


class NamelessError(BrokenError):
    """An error of another kind than promised, or one that does not say where."""

    kind = "nameless error"


class UnverifiedError(BrokenError):
    """A damage that reading met and `verify` did not."""

    kind = "nothing verified"


def most_resident():
    """Return the most bytes that this process had in memory; what started it does not count."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def told(error, path):
    """Check that an error names the place, and return it in short."""
    if not isinstance(error, NtMemoryError) or path not in str(error):
        raise NamelessError(repr(error)) from error
    return f"{type(error).__name__}: {error}"


def attempt(path, act, *arguments):
    """Return what an action gives and None, or None and the error that names the place."""
    try:
        return act(*arguments), None
    except BrokenError:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever comes is judged, panics too
        return None, told(error, path)


def errors_reading(store, path, expected):
    """Ask everything; return the errors, and refuse a wrong answer."""
    errors = []
    for name, ask in questions():
        said, error = attempt(path, answer, ask, store)
        if error:
            errors.append(f"{name}: {error}")
        elif said != expected[name]:
            raise WrongAnswerError(name)
    return errors


def examine(path, engine, expected, fault):
    """Open a store, use all of it, open it again; return the kind of outcome and why."""
    opened = lambda: FAULTS[fault](open_store(path, engine), path)  # noqa: E731
    store, error = attempt(path, opened)
    if error:
        return "open", error
    errors = errors_reading(store, path, expected)
    problems, error = attempt(path, store.verify)
    problems = [error] if error else problems
    if errors and not problems:
        raise UnverifiedError(errors[0])
    written, _ = attempt(path, store.commit, [Put("new", "key", b"written later")])
    attempt(path, store.close)
    again = reopened(path, opened, expected, written)
    if errors:
        return "read", errors[0]
    if problems or again:
        return ("verify", problems[0]) if problems else ("reopen", again)
    return "harmless", ""


def reopened(path, opened, expected, written):
    """Use a store for the second time; return an error of it."""
    store, error = attempt(path, opened)
    if error:
        return error
    errors = errors_reading(store, path, expected)
    value, error = attempt(path, store.get, "new", "key")
    if written and not error and value != b"written later":
        raise WrongAnswerError(written)
    attempt(path, store.close)
    return error or (errors or [None])[0]


def main():
    """Examine what each line names, until there is none."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    # What the engines print when they panic is told by the errors.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            kind, why = examine(**order)
        except BrokenError as error:
            kind, why = error.kind, str(error)
        peak = most_resident()
        os.write(1, (json.dumps([kind, why, peak]) + "\n").encode())


if __name__ == "__main__":
    main()
