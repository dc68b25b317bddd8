"""Pictures of the results: what recall costs, and what size costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from vectors.rows import Rows

Styles = dict[str, dict[str, str]]
# One colour and one mark an engine in every picture, told apart without colour too.
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
# The same picture from the same rows, byte for byte.
mpl.rcParams.update({"svg.hashsalt": "vectors", "font.size": 10, "svg.fonttype": "none"})


def draw(rows: Rows, cases: list[tuple[str, int]], folder: Path) -> None:
    """Draw the curves of every data set, and the cost against the size where there are two."""
    engines = _engines(rows)
    for data in dict.fromkeys(data for data, _ in cases):
        sizes = [size for name, size in cases if name == data]
        asked = [size for size in sizes if _has_curve(rows, data, size)]
        if asked:
            _curves(rows, data, asked, engines, folder / f"vectors_{data}_recall.svg")
        if len(sizes) > 1:
            _by_size(rows, data, sizes, engines, folder / f"vectors_{data}_size.svg")


def _has_curve(rows: Rows, data: str, size: int) -> bool:
    """Whether there is more of a size than builds."""
    return any("/curve/" in row["name"] for row in rows.under(f"vectors/{data}/{size}/"))


def _engines(rows: Rows) -> Styles:
    found = dict.fromkeys(row["name"].split("/")[3] for row in rows.under("vectors/"))
    found.pop("race", None)
    return {
        name: {"color": f"C{at}", "marker": MARKS[at % len(MARKS)], "label": name}
        for at, name in enumerate(sorted(found))
    }


def _curves(rows: Rows, data: str, sizes: list[int], engines: Styles, path: Path) -> None:
    figure, axes = plt.subplots(
        1,
        len(sizes),
        figsize=(2.4 + 4.6 * len(sizes), 4.6),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for size, plot in zip(sizes, axes[0], strict=True):
        for name, style in engines.items():
            points = [
                row for row in rows.under(f"vectors/{data}/{size}/{name}/curve/") if "ef" in row
            ]
            points.sort(key=lambda row: row["ef"])
            if not points:
                continue
            # What was missed, on a logarithmic scale: 0.99 and 0.999 are not the same.
            missed = [max(1 - row["recall"], 1e-4) for row in points]
            micros = [row["p50"] / 1e3 for row in points]
            plot.plot(missed, micros, markersize=5, linewidth=1.3, **style)
        plot.set(
            xscale="log", yscale="log", title=f"{size:,} vectors", xlabel="recall@10, up to 0.9999"
        )
        plot.invert_xaxis()
        _ticks(plot.xaxis, lambda missed, _: f"{1 - missed:.4g}", (1.0, 3.0, 5.0))
        plot.tick_params(axis="x", rotation=45)
        _plain(plot)
    axes[0][0].set_ylabel("p50 of one query, µs, one thread")
    _legend(figure, axes[0])
    figure.suptitle(f"{data}: what recall costs (right and down is better)", x=0.4)
    _save(figure, path)


def _by_size(rows: Rows, data: str, sizes: list[int], engines: Styles, path: Path) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    what = (
        ("at_recall", "p50", 1e3, "p50 at recall 0.95, µs"),
        ("build_2/seconds", "value", 1, "build on two threads, s"),
        ("curve/resident", "value", 1, "loaded, bytes a vector"),
    )
    for plot, (part, field, unit, label) in zip(axes, what, strict=True):
        for name, style in engines.items():
            found = [(size, rows.get(f"vectors/{data}/{size}/{name}/{part}")) for size in sizes]
            points = [(size, row[field] / unit) for size, row in found if row]
            if points:
                plot.plot(*zip(*points, strict=True), markersize=5, linewidth=1.3, **style)
        plot.set(xscale="log", title=label, xlabel="vectors")
        plot.set_xticks(sizes, [f"{size:,}" for size in sizes])
        plot.xaxis.set_minor_formatter(NullFormatter())
        if part == "curve/resident":
            plot.set_ylim(bottom=0)  # bytes a vector hardly change with the size
            plot.spines[["top", "right"]].set_visible(False)
        else:
            plot.set_yscale("log")
            _plain(plot)
    _legend(figure, axes)
    figure.suptitle(f"{data}: what size costs (down is better)")
    _save(figure, path)


def _plain(plot: Axes) -> None:
    _ticks(plot.yaxis, lambda value, _: f"{value:,.10g}", (1.0, 2.0, 5.0))
    plot.grid(visible=True, which="major", linewidth=0.4, alpha=0.6)
    plot.spines[["top", "right"]].set_visible(False)


def _ticks(axis: Axis, text: Callable[[float, int], str], at: tuple[float, ...]) -> None:
    axis.set_major_locator(LogLocator(subs=at))
    axis.set_major_formatter(FuncFormatter(text))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, plots: Iterable[Axes]) -> None:
    """Name every engine once, whichever of the plots it is in."""
    found: dict[str, Any] = {}
    for plot in plots:
        lines, names = plot.get_legend_handles_labels()
        found = dict(zip(names, lines, strict=True)) | found
    names = sorted(found)
    handles = [found[name] for name in names]
    figure.legend(handles, names, loc="outside right upper", frameon=False)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
