"""The command line: `PYTHONPATH=benches:benches/peers python -m vectors --help`."""

from __future__ import annotations

import argparse
from pathlib import Path

from vectors import masks, report, worker
from vectors.datasets import MAKERS, DataSet
from vectors.orchestra import PARTS, Wanted, default_engines, default_threads, measure
from vectors.race import efs_for_recall, race
from vectors.rows import Rows

CACHE = Path("target/vectors")
RESULTS = Path("benches/results/vectors.jsonl")
SIZES = (10_000, 100_000)
DATA = ("clustered", "uniform", "market")


def main() -> None:
    arguments = _parser().parse_args()
    arguments.run(arguments)


def make(arguments: argparse.Namespace) -> None:
    for data in _sets(arguments):
        data.make()
        masks.make(data)
        print(data.folder)


def run(arguments: argparse.Namespace) -> None:
    rows = Rows(arguments.results)
    for data in _sets(arguments):
        data.make()
        for engine in arguments.engines or default_engines(data):
            threads = arguments.build_threads or default_threads(data)
            wanted = Wanted(arguments.parts, threads, arguments.seconds, arguments.again)
            measure(data, engine, rows, wanted)
    report.write(rows, arguments.results.parent)


def run_race(arguments: argparse.Namespace) -> None:
    rows = Rows(arguments.results)
    for data in _sets(arguments):
        given = {name: ef for name, _, ef in (each.partition("=") for each in arguments.engines)}
        unknown = [name for name, ef in given.items() if not ef]
        found = efs_for_recall(data, unknown, rows)
        efs = {name: int(ef or found[name]) for name, ef in given.items()}
        race(data, efs, arguments.rounds, rows, arguments.seconds)
    report.write(rows, arguments.results.parent)


def write_report(arguments: argparse.Namespace) -> None:
    report.write(Rows(arguments.results), arguments.results.parent)


def work(arguments: argparse.Namespace) -> None:
    data = DataSet(arguments.data, arguments.size, arguments.cache)
    part, _, threads = arguments.part.partition("_")
    if part == "serve":
        worker.serve(data, arguments.engine, arguments.seconds)
    elif part == "build":
        print(*worker.build(data, arguments.engine, int(threads)).lines(), sep="\n")
    else:
        run_part = {"curve": worker.curve, "filter": worker.filters, "replace": worker.replace}
        results = run_part[part](data, arguments.engine, arguments.seconds)
        print(*results.lines(), sep="\n")


def _sets(arguments: argparse.Namespace) -> list[DataSet]:
    return [
        DataSet(name, size, arguments.cache) for size in arguments.sizes for name in arguments.data
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vectors", description=__doc__)
    commands = parser.add_subparsers(required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cache", type=Path, default=CACHE)
    common.add_argument("--results", type=Path, default=RESULTS)
    common.add_argument("--seconds", type=float, default=5.0, help="the most a figure may take")
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--data", nargs="+", choices=list(MAKERS), default=DATA)
    chosen.add_argument("--sizes", nargs="+", type=int, default=SIZES)

    command = commands.add_parser("data", parents=[common, chosen], help="make the data sets")
    command.set_defaults(run=make)
    command = commands.add_parser("run", parents=[common, chosen], help="measure what is not yet")
    command.add_argument("--engines", nargs="+")
    command.add_argument("--build-threads", nargs="+", type=int)
    command.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    command.add_argument("--again", action="store_true", help="also what was measured")
    command.set_defaults(run=run)
    command = commands.add_parser("race", parents=[common, chosen], help="engines in turns")
    command.add_argument("--engines", nargs="+", required=True, help="name, or name=ef")
    command.add_argument("--rounds", type=int, default=9)
    command.set_defaults(run=run_race)
    command = commands.add_parser("report", parents=[common], help="tables and pictures again")
    command.set_defaults(run=write_report)
    command = commands.add_parser("worker", parents=[common])
    command.add_argument("data")
    command.add_argument("size", type=int)
    command.add_argument("engine")
    command.add_argument("part")
    command.set_defaults(run=work)
    return parser


if __name__ == "__main__":
    main()
