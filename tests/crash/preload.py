"""The shim: built with the system's C compiler, preloaded into writers."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


@cache
def shim():
    """Build the shim once, into a directory that lasts as long as this process."""
    compiler = shutil.which("cc")
    if compiler is None:
        msg = "no C compiler (cc), which builds tests/crash/shim.c: install gcc or clang"
        raise FileNotFoundError(msg)
    # Kept in the cache, so that it goes with the process.
    folder = tempfile.TemporaryDirectory(prefix="nt-memory-shim-")
    library = Path(folder.name, "shim.so")
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", library, SOURCE, "-lpthread"], check=True)
    return folder, library


def preloaded(root, log=None):
    """Return the environment of a process that the shim watches."""
    _, library = shim()
    watched = {"LD_PRELOAD": str(library), "NT_SHIM_ROOT": str(Path(root).resolve())}
    return watched if log is None else {**watched, "NT_SHIM_LOG": str(log)}
