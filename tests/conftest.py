"""Fixtures: one memory on every store, run by a clock that moves when told."""

import sys

import pytest
from hypothesis import settings

from builders import DIM, START, day
from nt_memory import ManualClock, MemoryConfig, MemorySystem, VectorSpace

# How long an example takes says something of the machine, and nothing of the code.  The same
# examples each time: a change fails for what it does.  New ones are what `make explore` is for.
settings.register_profile("explore", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")


def open_memory(kind, clock, spaces=None, **options):
    """Open a memory that keeps nothing, on the model or on the engine."""
    made = {"state": VectorSpace(dim=DIM), "text": VectorSpace(dim=256)}
    config = MemoryConfig(cold_engine="memory", spaces=spaces or made, seed=7, clock=clock)
    if kind == "model":
        from nt_memory.testing import ModelStore

        rows = [
            (name, space.dim, space.metric, config.vector.stored_code, space.encoder)
            for name, space in config.spaces.items()
        ]
        options["store"] = ModelStore(spaces=rows, clock=clock.native, seed=config.seed)
    return MemorySystem(config, **options)


@pytest.fixture
def ntm(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder; return (exit code, output, errors)."""
    from nt_memory import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ntm", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        code = left.value.code
        captured = capsys.readouterr()
        return (0 if code is None else code), captured.out, captured.err

    return run


@pytest.fixture
def clock():
    """A clock at day 10: days 0 to 10 are past."""
    assert day(0) == START
    return ManualClock(day(10))


@pytest.fixture(params=["model", "native"])
def store_kind(request):
    """Which store a memory stands on."""
    return request.param


@pytest.fixture
def memory(store_kind, clock):
    """An empty memory with the spaces "state" (4 floats) and "text"."""
    with open_memory(store_kind, clock) as opened:
        yield opened


@pytest.fixture
def open_on(store_kind):
    """Open further memories on the same kind of store."""

    def open_(clock, **options):
        return open_memory(store_kind, clock, **options)

    return open_
