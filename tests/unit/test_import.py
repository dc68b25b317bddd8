"""The package: public names, and what an import costs."""

import subprocess
import sys

import pytest

import nt_memory


def modules_after(statement):
    """Return the modules that a fresh interpreter has loaded after a statement."""
    program = f"import sys\nsys.path[:] = {sys.path}\n{statement}\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "heavy", ["asyncio", "concurrent.futures", "nt_memory._native", "numpy", "tomllib"]
)
def test_an_import_leaves_what_is_heavy_for_later(heavy):
    assert heavy not in modules_after("import nt_memory")


@pytest.mark.parametrize("name", nt_memory.__all__)
def test_a_public_name_is_there(name):
    assert getattr(nt_memory, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Memory'"):
        _ = nt_memory.Memory
