"""Whatever is handed in gets an answer or an error that helps, and an error changes nothing.

Each target makes inputs from a seed, so that a number names one for ever.  NT_MEMORY_FUZZ_SECONDS
says how long all of them take, NT_MEMORY_FUZZ_SEED which inputs they make.
"""

import os
import random
import sys
import time

import pytest

import hostile
from hostile import START, SpiteError
from hostile_agents import AGENT_TARGETS, prepare
from hostile_targets import TARGETS
from hostile_trading import TRADING_TARGETS, prepare_trading
from nt_memory import (
    InternalError,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    NtMemoryError,
    Record,
    VectorSpace,
    _native,
)

SECONDS = float(os.environ.get("NT_MEMORY_FUZZ_SECONDS", "20"))
SEED = os.environ.get("NT_MEMORY_FUZZ_SEED", "0")
EVERY = [*TARGETS, *AGENT_TARGETS, *TRADING_TARGETS]
HANGS = 10
LONGEST = 4000


def opened():
    """Open a memory with a value and a record in it."""
    spaces = {"state": VectorSpace(4), "text": VectorSpace(8)}
    memory = MemorySystem(
        MemoryConfig(cold_engine="memory", spaces=spaces, clock=ManualClock(START), seed=1)
    )
    memory.put("kept", "limit", b"5")
    memory.remember(Record(namespace="kept", kind="k", id="kept", event_time=START, text="hi"))
    prepare(memory)
    prepare_trading(memory)
    return memory


def refuses_well(error):
    """Whether an error is one of ours, short enough to be read, or the value's own."""
    if isinstance(error, SpiteError):
        return True
    kinds = (NtMemoryError, ValueError, TypeError)
    is_ours = isinstance(error, kinds) and not isinstance(error, (InternalError, UnicodeError))
    return is_ours and len(str(error)) < LONGEST


def attempt(memory, target, rng):
    """Try one input; return whether it was refused."""
    before, begun = memory.stats()["commits"], time.monotonic()
    refused = None
    try:
        target(memory, rng)
    except Exception as error:
        if not refuses_well(error):
            raise
        refused = error
    assert time.monotonic() - begun < HANGS
    assert memory.get("kept", "limit") == b"5"
    assert refused is None or memory.stats()["commits"] == before, f"{refused!r} wrote something"
    return refused is not None


def fuzz(target, seconds):
    """Try inputs for so long; fail with the number of the first that is answered badly."""
    until, tried, refused = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until or tried < 20:
        memory = opened()
        for _ in range(1000):
            rng = random.Random(f"{target.__name__} {SEED} {tried}")
            try:
                refused += attempt(memory, target, rng)
            except BaseException as error:
                msg = f"{target.__name__}, seed {SEED}, input {tried}: {type(error).__name__}"
                raise AssertionError(msg) from error
            tried += 1
            if time.monotonic() >= until and tried >= 20:
                break
        assert memory.verify() == []
        memory.close()
    sys.stdout.write(f"{target.__name__}: {tried} inputs, {refused} refused\n")


@pytest.mark.parametrize("target", EVERY, ids=lambda target: target.__name__)
def test_hostile_input_gets_an_answer_or_an_error_that_helps(target):
    fuzz(target, SECONDS / len(EVERY))


def panics(memory, rng):
    _native._panic()


def writes_and_refuses(memory, rng):
    memory.put("a", "k", b"1")
    raise ValueError


def runs_too_deep(memory, rng):
    repr(hostile.nested(50_000))


def tells_too_much(memory, rng):
    raise ValueError("x" * LONGEST)


@pytest.mark.parametrize("target", [panics, writes_and_refuses, runs_too_deep, tells_too_much])
def test_a_call_that_answers_badly_is_found(target):
    with pytest.raises(AssertionError):
        fuzz(target, 0)
