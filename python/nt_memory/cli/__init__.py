"""The command ``ntm``."""

from __future__ import annotations

import sys

from nt_memory.errors import NtMemoryError

__all__ = ["main"]


def main() -> None:
    """Run ``ntm`` with the arguments of the process; exit with 0, 1 (failed) or 2 (usage).

    What goes wrong is one line on the standard error stream.
    """
    try:
        from nt_memory.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        _fail(f'{error.name} is missing; install it with: pip install "nt-memory[cli]"')
    try:
        app(prog_name="ntm")
    except (NtMemoryError, OSError, ValueError) as error:
        _fail(" ".join(str(error).split()) or type(error).__name__)


def _fail(reason: str) -> None:
    sys.stderr.write(f"ntm: {reason}\n")
    raise SystemExit(1)
