"""Engines side by side: each stays loaded in its process and is asked in turn, round by round.

What else the machine does then meets all of them alike, so their ratios hold where times do not.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

from vectors.orchestra import start
from vectors.worker import prefix

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from vectors.datasets import DataSet
    from vectors.rows import Row, Rows

Figures = dict[str, list[float]]


def race(data: DataSet, efs: dict[str, int], rounds: int, rows: Rows, seconds: float) -> None:
    """Ask every engine at its own ef, and keep each one's ratios to the first."""
    names = list(efs)
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(start(data, name, "serve", seconds)) for name in names
        }
        for process in processes.values():
            _line(process)
        # The first round warms up; the order turns, so that none always follows the same one.
        answers = [_round(processes, efs, _turned(names, turn)) for turn in range(rounds + 1)][1:]
        for process in processes.values():
            _input(process).close()
    first = names[0]
    for name in names:
        row = _row(data, name, first, efs[name], answers)
        rows.replace(row["name"], [row])
        print(
            f"{name:<12} ef {efs[name]:>4}  recall {row['recall']:.4f}"
            f"  p50 {row['p50'] / 1e3:,.0f} us, x{row['p50_ratio']:.3f} of {first}"
            f"  {row['qps_2']:,.0f} q/s, x{row['qps_ratio']:.3f}"
        )


def efs_for_recall(data: DataSet, engines: Sequence[str], rows: Rows) -> dict[str, int]:
    """Return the ef at which each engine's measured curve reaches the recall."""
    efs = {}
    for engine in engines:
        row = rows.get(f"{prefix(data, engine)}/at_recall")
        if row is None:
            msg = f"{engine}: its curve was not measured or is too low; run it, or give engine=ef"
            raise SystemExit(msg)
        efs[engine] = ceil(row["ef"])
    return efs


def _row(data: DataSet, name: str, first: str, ef: int, answers: list[dict[str, Any]]) -> Row:
    ours, base = ([answer[one] for answer in answers] for one in (name, first))
    pairs = list(zip(ours, base, strict=True))
    return {
        "name": f"vectors/{data.name}/{data.size}/race/{name}",
        "unit": "ns",
        "ef": ef,
        "recall": round(ours[0]["recall"], 4),
        "p50": round(median(answer["p50"] for answer in ours), 1),
        "qps_2": round(median(answer["qps_2"] for answer in ours), 1),
        "p50_ratio": round(median(a["p50"] / b["p50"] for a, b in pairs), 4),
        "qps_ratio": round(median(a["qps_2"] / b["qps_2"] for a, b in pairs), 4),
        "against": first,
        "rounds": len(answers),
    }


def _round(
    processes: dict[str, subprocess.Popen[str]], efs: dict[str, int], order: list[str]
) -> dict[str, Any]:
    answers = {}
    for name in order:
        _input(processes[name]).write(f"{efs[name]}\n")
        _input(processes[name]).flush()
        answers[name] = _line(processes[name])
    return answers


def _turned(names: list[str], turn: int) -> list[str]:
    at = turn % len(names)
    return names[at:] + names[:at]


def _input(process: subprocess.Popen[str]) -> Any:
    return process.stdin


def _line(process: subprocess.Popen[str]) -> Any:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        msg = f"a worker ended with {process.wait()}"
        raise SystemExit(msg)
    return json.loads(line)
