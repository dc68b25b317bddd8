"""hnsw_rs: a crate, so a program of its own that reads the same files and prints the same rows."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from vectors.engines import EF_CONSTRUCTION, M
from vectors.worker import EFS, prefix

if TYPE_CHECKING:
    from vectors.datasets import DataSet
    from vectors.rows import Row

NAME = "hnsw_rs"
MOST = 100_000
MANIFEST = Path(__file__).parents[1] / "rust" / "Cargo.toml"


def run(data: DataSet) -> list[Row]:
    """Build on two threads and measure the curve; nothing is kept."""
    data.make()
    command = ["cargo", "run", "-q", "--release", "--manifest-path", str(MANIFEST)]
    folder = str(data.folder.resolve())
    efs = [str(ef) for ef in EFS]
    arguments = [prefix(data, NAME), folder, str(M), str(EF_CONSTRUCTION), *efs]
    done = subprocess.run(
        [*command, "--bin", "hnsw_rs", "--", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={"CARGO_TARGET_DIR": "target/peers", **os.environ, "RAYON_NUM_THREADS": "2"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
