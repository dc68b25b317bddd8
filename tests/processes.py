"""Processes that tests start: they speak in lines, and none is left behind."""

import json
import os
import select
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

TESTS = str(Path(__file__).parent)

# A shell lets what it runs in the background ignore Ctrl-C, and children inherit that.
_RUN = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@contextmanager
def python(module, *arguments, environment=None, errors=subprocess.PIPE, within=()):
    """Run ``python -m module arguments``, within another command; kill it at the end."""
    paths = [TESTS, *(path for path in sys.path if path)]
    process = subprocess.Popen(
        [*within, sys.executable, "-c", _RUN, module, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def told(process, line):
    """Send a line to a process."""
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()


def heard(process):
    """Return the next thing that a process says; fail with its errors where it says nothing."""
    line = process.stdout.readline()
    assert line, process.stderr.read().decode()
    return json.loads(line)


def answer(module, *arguments):
    """Return the last thing that a process says before it ends well."""
    with python(module, *arguments) as process:
        said, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(said.splitlines()[-1])


def hangs(process, seconds):
    """Whether a process says nothing for so long; one that ends does not hang."""
    return not select.select([process.stdout], [], [], seconds)[0]
