"""Make `summary.md` from the results of one run: `python benches/summary.py benches/results`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Rows = dict[str, dict[str, Any]]
ORDERS = ("same_key", "hot_1k", "random_100k", "random_100k_hashed")
# What is said of it, what is read ("row field", or "row / row" of two p50), and the bound.
GOALS: list[tuple[str, str, str, float]] = [
    (
        "Rust, L1 hit of 100,000 random keys, p99 in ns",
        "l1_cache/random_hit_100k p99",
        "<=",
        1000,
    ),
    (
        "Rust, the same, p50 of the seed's HotCache / ours",
        "l1_cache/random_hit_100k/seed / l1_cache/random_hit_100k/ours",
        ">=",
        2,
    ),
    (
        "Rust, L1 insert at capacity, p99 in ns",
        "l1_cache/insert_at_capacity p99",
        "<=",
        5000,
    ),
    *(
        (
            f"Python, get, {order}, p50 of cachetools / ours",
            f"get/{order}/cachetools / get/{order}/ours",
            ">=",
            1.5,
        )
        for order in ORDERS
    ),
    *(
        (
            f"Python, get, {order}, p50 of ours / dict by tuple",
            f"get/{order}/ours / get/{order}/dict",
            "<=",
            2,
        )
        for order in ORDERS
    ),
    (
        "Rust, redb, durable puts of 100 bytes a second, batches of 100",
        "cold/redb_put_100B_batch100 value",
        ">=",
        40_000,
    ),
    (
        "Rust, redb, durable records of 256 floats a second, batches of 100",
        "cold/redb_record_256_batch100 value",
        ">=",
        15_000,
    ),
    (
        "Rust, redb, single puts that one sync serves, 8 threads",
        "cold/redb_puts_per_sync_8_threads value",
        ">=",
        4,
    ),
    (
        "Rust, exact recall over 50,000 x 256, filter 1 in 10, p95 in ns",
        "recall/exact_50k_filter_1_in_10 p95",
        "<=",
        5e6,
    ),
    (
        "Python, the same through the facade, p95 in ns",
        "recall/exact_50k_filter_1_in_10/ours p95",
        "<=",
        5e6,
    ),
    (
        "Python, 100 trajectories judged, p50 in ns",
        "verdict/judge_batch_100 p50",
        "<=",
        300_000,
    ),
    (
        "Python, 100,000 trajectories kept in batches, a minute",
        "trajectory/track_100000 value",
        ">=",
        100_000,
    ),
    *(
        (
            f"Python, similar experiences among 100,000, {whose}, {share} in ns",
            f"experience/one_agent_{name}_logged/ours {share}",
            "<=",
            goal,
        )
        for name, whose in (("1x100000", "of one agent"), ("10x10000", "of one agent in ten"))
        for share, goal in (("p50", 1e6), ("p99", 5e6))
    ),
    *(
        (
            f"Python, the same by ten agents at once, {whose}, queries a second",
            f"experience/ten_agents_{name}_{how}_rate/ours value",
            ">=",
            2000,
        )
        for name, whose in (("1x100000", "of one"), ("10x10000", "each its own"))
        for how in ("batched", "one_by_one")
    ),
    *(
        (
            f"Python, the same, {whose}, p99 in ns",
            f"experience/ten_agents_{name}_batched/ours p99",
            "<=",
            20e6,
        )
        for name, whose in (("1x100000", "of one"), ("10x10000", "each its own"))
    ),
    (
        "Python, a swarm of six over 5,000 daily bars with its memory, in seconds",
        "swarm/5000_bars/ours value",
        "<=",
        60,
    ),
    (
        "Python, a bar on paper, p50 with 100,000 memories / with 10,000",
        "paper/decide_100000_index/ours / paper/decide_10000_index/ours",
        "<=",
        2,
    ),
    (
        "the demo over 20 years, in seconds",
        "start/demo_20_years value",
        "<=",
        120,
    ),
]


def read(folder: Path) -> Rows:
    """Return the rows of every file by name; those of vector indexes have a report of their own."""
    paths = (path for path in sorted(folder.glob("*.jsonl")) if path.stem != "vectors")
    lines = [line for path in paths for line in path.open()]
    return {row["name"]: row for row in map(json.loads, lines)}


def p50(rows: Rows, name: str) -> float:
    """Return the p50 of a row, or the median over its numbered rounds, the timer taken off."""
    rounds = [row for found, row in rows.items() if found == name or found[:-2] == name]
    if not rounds:
        raise KeyError(name)
    return median(row["p50"] - row.get("timer_p50", 0) for row in rounds)


def measured(rows: Rows, what: str) -> float:
    """Return a field of a row, or the ratio of two rows."""
    above, _, below = what.partition(" / ")
    if below:
        return p50(rows, above) / p50(rows, below)
    name, _, field = what.rpartition(" ")
    return float(rows[name][field])


def must_reach(rows: Rows) -> Iterator[str]:
    """Yield the table of goals; one whose rows are missing is told as not run."""
    yield "| what | goal | measured | margin | reached |"
    yield "|---|---:|---:|---:|---|"
    for words, what, sign, bound in GOALS:
        try:
            value = measured(rows, what)
        except KeyError:
            yield f"| {words} | {sign} {bound:,.10g} | | | not run |"
            continue
        margin = bound / value if sign == "<=" else value / bound
        reached = "yes" if margin >= 1 else "**no**"
        yield f"| {words} | {sign} {bound:,.10g} | {figure(value)} | {margin:.1f}x | {reached} |"


def beside_peers(rows: Rows) -> Iterator[str]:
    """Yield each peer of a case that we are in."""
    yield "| case | peer | ours is better by |"
    yield "|---|---|---:|"
    for case in sorted({name.split("/ours")[0] for name in rows if "/ours" in name}):
        within = {
            name.removeprefix(f"{case}/").split("/")[0] for name in rows if case + "/" in name
        }
        for peer in sorted(within - {"ours", "empty"}):
            yield f"| {case} | {peer} | {advantage(rows, case, peer):.2f}x |"


def advantage(rows: Rows, case: str, peer: str) -> float:
    """Return the peer's time over ours, or our rate over the peer's."""
    ours, other = f"{case}/ours", f"{case}/{peer}"
    if "value" in rows.get(other, {}):
        return float(rows[ours]["value"] / rows[other]["value"])
    return p50(rows, other) / p50(rows, ours)


def machine(rows: Rows) -> str:
    """Return how busy the machine was around the benches in Python."""
    loads = [row["value"] for name, row in rows.items() if name.startswith("machine/load")]
    if not loads:
        return "How busy the machine was is not known: the benches in Python were not run."
    cores = os.cpu_count() or 1
    text = f"Load {' to '.join(map(str, loads))} on {cores} cores."
    if max(loads) <= cores:
        return text
    return f"{text} **Busy: rows that wait for the disk or use all cores measure that. Run again.**"


def all_rows(rows: Rows) -> Iterator[str]:
    """Yield every row as it was measured."""
    yield "| row | p50 | p95 | p99 | value | unit |"
    yield "|---|---:|---:|---:|---:|---|"
    for name, row in rows.items():
        fields = (figure(row[key]) if key in row else "" for key in ("p50", "p95", "p99", "value"))
        yield f"| {name} | {' | '.join(fields)} | {row['unit']} |"


def figure(value: float) -> str:
    """Return a number with as many digits as it deserves."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def main() -> None:
    """Write the summary beside the results, and print what must be reached."""
    folder = Path(sys.argv[1])
    rows = read(folder)
    goals = "\n".join(must_reach(rows))
    parts = [
        "# One run of the benches",
        "`benches/README.md` says what a row is.",
        machine(rows),
        "## Must reach",
        goals,
        "## Beside peers",
        "A peer's p50 over ours, or our rate over a peer's: above 1 ours is better.",
        "\n".join(beside_peers(rows)),
        "## All rows",
        "\n".join(all_rows(rows)),
    ]
    (folder / "summary.md").write_text("\n\n".join(parts) + "\n")
    print(machine(rows), goals, sep="\n")


if __name__ == "__main__":
    main()
