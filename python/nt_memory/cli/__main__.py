"""``python -m nt_memory.cli`` is ``ntm``."""

from nt_memory.cli import main

main()
