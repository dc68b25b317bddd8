"""Tables of what was measured, and pictures of it, beside the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vectors import pictures
from vectors.equal_recall import RECALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vectors.rows import Row, Rows


def write(rows: Rows, folder: Path) -> None:
    """Write `vectors.md` and the pictures."""
    every = rows.under("vectors/")
    if not every:
        return
    cases = sorted({case_of(row) for row in every}, key=lambda case: (case[0], case[1]))
    parts = ["# Vector indexes", "`benches/README.md` says what a row is."]
    for data, size in cases:
        within = f"vectors/{data}/{size}/"
        engines = dict.fromkeys(row["name"].split("/")[3] for row in rows.under(within))
        engines.pop("race", None)
        parts += [f"## {data}, {size:,} vectors", "\n".join(_costs(rows, within, list(engines)))]
        for title, table in (("In turns", _race), ("Filtered", _filters), ("Replaced", _replaced)):
            lines = list(table(rows, within, list(engines)))
            if len(lines) > 2:
                parts += [f"### {title}", "\n".join(lines)]
    (folder / "vectors.md").write_text("\n\n".join(parts) + "\n")
    pictures.draw(rows, cases, folder)


def case_of(row: Row) -> tuple[str, int]:
    """Return the data set and the size of a row."""
    _, data, size, *_ = row["name"].split("/")
    return data, int(size)


def _costs(rows: Rows, within: str, engines: list[str]) -> Iterator[str]:
    yield (
        f"| engine | build, 1 thread | 2 threads | bytes a vector | loaded | recall at ef 64 "
        f"| ef for {RECALL} | p50 us | p95 us | q/s, 1 thread | 2 threads |"
    )
    yield "|---" + "|---:" * 10 + "|"
    for engine in engines:
        base = within + engine
        values = [
            f"{row['value']:,.1f}" if (row := rows.get(f"{base}/{name}")) else ""
            for name in ("build_1/seconds", "build_2/seconds")
        ]
        built = rows.get(f"{base}/build_2/resident") or rows.get(f"{base}/build_1/resident")
        sizes = (built, rows.get(f"{base}/curve/resident"))
        values += [f"{row['value']:,.0f}" if row else "" for row in sizes]
        at_64 = rows.get(f"{base}/curve/64") or rows.get(f"{base}/curve/16")
        values.append(f"{at_64['recall']:.4f}" if at_64 else "")
        point = rows.get(f"{base}/at_recall")
        values += _point(point) if point else [""] * 5
        yield f"| {engine} | {' | '.join(values)} |"


def _point(row: Row) -> list[str]:
    micros = [f"{row[field] / 1e3:,.0f}" for field in ("p50", "p95")]
    return [f"{row['ef']:.0f}", *micros, f"{row['qps_1']:,.0f}", f"{row['qps_2']:,.0f}"]


def _race(rows: Rows, within: str, _: list[str]) -> Iterator[str]:
    yield "| engine | ef | recall | p50 us | times the first | q/s, 2 threads | times the first |"
    yield "|---" + "|---:" * 6 + "|"
    for row in rows.under(f"{within}race/"):
        yield (
            f"| {row['name'].split('/')[-1]} | {row['ef']} | {row['recall']:.4f} "
            f"| {row['p50'] / 1e3:,.0f} | {row['p50_ratio']:.3f} of {row['against']} "
            f"| {row['qps_2']:,.0f} | {row['qps_ratio']:.3f} |"
        )


def _filters(rows: Rows, within: str, engines: list[str]) -> Iterator[str]:
    found = {engine: rows.under(f"{within}{engine}/filter/") for engine in engines}
    cases = dict.fromkeys(_last(row) for of in found.values() for row in of)
    having = [engine for engine in engines if found[engine]]
    yield "| allowed | " + " | ".join(f"{engine}: recall, p50 us" for engine in having) + " |"
    yield "|---" + "|---:" * len(having) + "|"
    for case in cases:
        cells = [
            f"{row['recall']:.3f}, {row['p50'] / 1e3:,.0f}"
            if (row := rows.get(f"{within}{engine}/filter/{case}"))
            else ""
            for engine in having
        ]
        yield f"| {case.replace('/', ', ')} | {' | '.join(cells)} |"


def _replaced(rows: Rows, within: str, engines: list[str]) -> Iterator[str]:
    yield "| engine | seconds | recall before, ef 64 | after | before, ef 128 | after |"
    yield "|---" + "|---:" * 5 + "|"
    for engine in engines:
        base = f"{within}{engine}/replace"
        seconds = rows.get(f"{base}/seconds")
        if seconds is None:
            continue
        found = [
            rows.get(f"{base}/{when}/{ef}") for ef in (64, 128) for when in ("before", "after")
        ]
        recalls = [f"{row['recall']:.4f}" if row else "" for row in found]
        yield f"| {engine} | {seconds['value']:,.1f} | {' | '.join(recalls)} |"


def _last(row: Row) -> str:
    return "/".join(row["name"].split("/")[-2:])
