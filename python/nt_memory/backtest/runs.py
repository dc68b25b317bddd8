"""The runs that lie under a folder, and what tells two of them apart."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory.backtest.bootstrap import sharpe_differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from nt_memory.backtest.bootstrap import Interval
    from nt_memory.backtest.experiment import Experiment
    from nt_memory.market import Floats

REPORT, CARD, RETURNS = "report.html", "run_card.json", "returns.csv"
# What a card says came out; all else says what went in.
RESULTS = ("arms", "sharpe_differences", "verdict")


@dataclass(frozen=True, slots=True, eq=False)
class FinishedRun:
    """A folder with a run card."""

    folder: Path
    card: dict[str, Any]

    @property
    def main(self) -> str:
        """The arm that the run is about."""
        return str(self.card["main"])

    @property
    def metrics(self) -> dict[str, float | None]:
        """The measures of that arm."""
        found: dict[str, float | None] = self.card["arms"][self.main]
        return found

    @property
    def traded(self) -> dict[str, Any]:
        """First and last day that were traded, and the bars between."""
        found: dict[str, Any] = self.card["split"]["traded"]
        return found


def new_folder(parent: Path, stem: str) -> Path:
    """Make ``stem-1``, or the first number after those that are there."""
    parent.mkdir(parents=True, exist_ok=True)
    taken = [path.name.removeprefix(f"{stem}-") for path in parent.glob(f"{stem}-*")]
    number = max((int(name) for name in taken if name.isdigit()), default=0) + 1
    folder = parent / f"{stem}-{number}"
    folder.mkdir()
    return folder


def find_runs(parent: Path) -> tuple[list[FinishedRun], list[str]]:
    """Return the runs in the folders under one, by name, and what cannot be read of others.

    ``run-10`` follows ``run-9``.

    Raises
    ------
    ValueError
        There is no such folder.
    """
    if not parent.is_dir():
        msg = f"no folder {parent}: give the one that runs were written to, such as runs"
        raise ValueError(msg)
    folders = sorted((path.parent for path in parent.glob(f"*/{CARD}")), key=_natural)
    tried = [_run_or_problem(folder) for folder in folders]
    runs = [run for run in tried if isinstance(run, FinishedRun)]
    return runs, [problem for problem in tried if isinstance(problem, str)]


def _run_or_problem(folder: Path) -> FinishedRun | str:
    try:
        return read_run(folder)
    except ValueError as error:
        return str(error)


def read_run(folder: Path) -> FinishedRun:
    """Return the run of a folder.

    Raises
    ------
    ValueError
        There is no run card, or it is not one of a backtest.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"no run at {folder}: give a folder with a {CARD}, such as runs/demo-1"
        raise ValueError(msg) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        msg = f"{path}: is no JSON ({error}); run it again"
        raise ValueError(msg) from None
    run = FinishedRun(folder, card)
    try:
        _ = run.metrics["sharpe"], run.traded["bars"], card["data"], card["verdict"]
    except (KeyError, TypeError) as error:
        msg = f"{path}: is no run card of this version ({error}); run it again"
        raise ValueError(msg) from None
    return run


def returns_table(experiment: Experiment) -> str:
    """Return what each arm made at each step as CSV; numbers read back as they were."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["time", *experiment.arms])
    first, columns = experiment.start + 1, [arm.run.returns for arm in experiment.arms.values()]
    for step, values in enumerate(np.stack(columns, axis=1).tolist()):
        rows.writerow([int(experiment.market.times[first + step]), *map(repr, values)])
    return out.getvalue()


def read_returns(folder: Path) -> tuple[list[int], dict[str, Floats]]:
    """Return the times (microseconds, UTC) and the returns of each arm of a run.

    Raises
    ------
    ValueError
        The file is missing or damaged.
    """
    path = folder / RETURNS
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            header, *rows = csv.reader(lines)
        times = [int(row[0]) for row in rows]
        table = np.array([[float(value) for value in row[1:]] for row in rows])
        columns = {name: table[:, place] for place, name in enumerate(header[1:])}
    except (OSError, ValueError, IndexError) as error:
        msg = f"{path}: cannot be read ({error}); run it again"
        raise ValueError(msg) from None
    return times, columns


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Runs side by side.

    Parameters
    ----------
    runs
        In the order in which they were given.
    differing
        By setting or part of the data, its value in each run; only what differs.
    intervals
        Sharpe of the first run's main arm minus that of each other run, all
        holding together; empty where they did not trade the same bars.
    """

    runs: Sequence[FinishedRun]
    differing: Mapping[str, Sequence[Any]]
    intervals: Sequence[Interval]


def compare_runs(folders: Sequence[Path], *, seed: int = 0, resamples: int = 5000) -> Comparison:
    """Compare the main arms of two runs or more.

    Raises
    ------
    ValueError
        Fewer than two folders, one twice, or one without a run.
    """
    if len(folders) < 2:
        msg = f"runs: {len(folders)} given, two or more can be compared"
        raise ValueError(msg)
    for folder in folders:
        if sum(folder.resolve() == other.resolve() for other in folders) > 1:
            msg = f"runs: {shown(str(folder))} is given twice"
            raise ValueError(msg)
    runs = [read_run(folder) for folder in folders]
    settings = [dict(_leaves("", _inputs(run.card))) for run in runs]
    names = list(dict.fromkeys(name for found in settings for name in found))
    differing = {
        name: [found.get(name) for found in settings]
        for name in names
        if any(found.get(name) != settings[0].get(name) for found in settings)
    }
    return Comparison(runs, differing, _intervals(runs, seed, resamples))


def _inputs(card: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name not in RESULTS}


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a card holds as dotted names and values."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), item)
    else:
        yield name, value


def _intervals(runs: Sequence[FinishedRun], seed: int, resamples: int) -> list[Interval]:
    """Compare where the bars were the same, to the byte and to the step."""
    if any(run.card["data"] != runs[0].card["data"] for run in runs):
        return []
    read = [read_returns(run.folder) for run in runs]
    for run, (_, columns) in zip(runs, read, strict=True):
        if run.main not in columns:
            msg = f"{run.folder / RETURNS}: has no column {shown(run.main)}; run it again"
            raise ValueError(msg)
    if any(times != read[0][0] for times, _ in read):
        return []
    arms = {
        str(place): columns[run.main]
        for place, (run, (_, columns)) in enumerate(zip(runs, read, strict=True))
    }
    pairs = [("0", str(place)) for place in range(1, len(runs))]
    return sharpe_differences(arms, pairs, seed=seed, resamples=resamples)


def _natural(folder: Path) -> tuple[str, int, str]:
    stem, _, number = folder.name.rpartition("-")
    return (stem, int(number), "") if number.isdigit() else (folder.name, 0, number)
