"""The commands of ``ntm`` and their options."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from nt_memory.backtest.demo import demo_settings
from nt_memory.cli import (
    analytics,
    backtest,
    decay,
    exchange,
    keeping,
    paper,
    regimes,
    runs,
    stores,
)
from nt_memory.cli.demo import demo
from nt_memory.cli.reading import CloseTime, Label, Reading, Sort, Timezone

app = typer.Typer(
    name="ntm",
    help="A memory for trading agents: run the demo, look into a store, copy its records.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
StorePath = Annotated[Path, typer.Argument(help="Directory of a store, such as runs/demo-1/store.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nt-memory {version('nt-memory')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command("demo")
def demo_command(
    seed: Annotated[int, typer.Option(min=0, help="Of ids, the placebo and the bootstrap.")] = 0,
    bars: Annotated[
        int | None,
        typer.Option(
            min=demo_settings().fewest_bars,
            help="Use only the first bars of the 5,031.",
            metavar="N",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder in which a new one is made for this run.")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Find out whether memory helps, over twenty years of the S&P 500.

    Four arms: memory, no memory, shuffled memory, buy and hold. Prints a table and the
    interval of the Sharpe difference; writes report.html, run_card.json and
    the store into a new folder.
    """
    demo(seed=seed, count=bars, out=out, as_json=as_json)


Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="CSV or Parquet, a file a symbol; the shipped S&P 500 without any.",
        metavar="[FILE]...",
    ),
]
Agents = Annotated[
    Literal["analogue", "swarm", "liquidity", "sentiment", "wyckoff", "markov"],
    typer.Option(help="Who decides: bars like this one, all trading agents, or one of them alone."),
]


@app.command("backtest")
def backtest_command(
    files: Files = None,
    agents: Agents = "analogue",
    seed: Annotated[int, typer.Option(min=0, help="Of ids, the placebo and the bootstrap.")] = 0,
    windows: Annotated[
        str,
        typer.Option(
            metavar="TRAIN[:TEST[:STEP[:EMBARGO]]]",
            help="Bars that are learnt from, and traded before new strategies begin.",
        ),
    ] = str(backtest.TRAIN),
    holding: Annotated[int, typer.Option(min=1, help="Bars from a decision to its outcome.")] = 5,
    fee: Annotated[float, typer.Option(min=0.0, help="Basis points of what is traded.")] = 1.0,
    slippage: Annotated[float, typer.Option(min=0.0, help="The same, against the open.")] = 2.0,
    fraction: Annotated[float, typer.Option(help="Equity that a full position takes.")] = 1.0,
    volatility: Annotated[
        float | None, typer.Option(help="Percent a year that a full position should have.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="New folder of this run; runs/backtest-N without it.")
    ] = None,
    timezone: Timezone = "UTC",
    close_time: CloseTime = None,
    label: Label = None,
    sort: Sort = False,
    as_json: AsJson = False,
) -> None:
    """Let agents with and without memory trade the bars of files, and compare them.

    Writes report.html, run_card.json, returns.csv and the store into a folder.
    """
    reading = Reading(timezone, close_time, label, sort)
    asked = backtest.Asked(
        files or (), agents, seed, windows, holding, fee, slippage, fraction, volatility, reading
    )
    backtest.backtest(asked, output, as_json=as_json)


@app.command("check-lookahead")
def check_lookahead_command(
    files: Files = None,
    agents: Agents = "analogue",
    cuts: Annotated[int, typer.Option(min=1, help="Bars after which the future is changed.")] = 5,
    bars: Annotated[
        int | None, typer.Option(min=2, help="Use only the first bars.", metavar="N")
    ] = None,
    timezone: Timezone = "UTC",
    close_time: CloseTime = None,
    label: Label = None,
    sort: Sort = False,
    as_json: AsJson = False,
) -> None:
    """Change the future after some bars, and see whether a decision before them changes.

    Exits with 1 if one does.
    """
    reading = Reading(timezone, close_time, label, sort)
    backtest.lookahead(files or (), agents, cuts, bars, reading, as_json=as_json)


@app.command("tune-decay")
def tune_decay_command(
    file: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet; the shipped S&P 500 without it.")
    ] = None,
    half_lives: Annotated[
        str | None, typer.Option(help="Bars, with commas between.", metavar="N,N,...")
    ] = None,
    bars: Annotated[
        int | None, typer.Option(min=2, help="Use only the first bars.", metavar="N")
    ] = None,
    timezone: Timezone = "UTC",
    close_time: CloseTime = None,
    label: Label = None,
    sort: Sort = False,
    as_json: AsJson = False,
) -> None:
    """Find out how fast memory should fade: half-lives side by side, chosen walk-forward."""
    reading = Reading(timezone, close_time, label, sort)
    decay.decay(file, half_lives, bars, reading, as_json=as_json)


@app.command("analytics")
def analytics_command(
    path: StorePath,
    by: Annotated[
        str, typer.Option(help="What decisions share: agent, regime, symbol, event.")
    ] = "agent,regime",
    as_json: AsJson = False,
) -> None:
    """Tell how often agents' decisions gained, what they hold, and what recalls were worth."""
    analytics.analytics(path, by, as_json=as_json)


@app.command("paper")
def paper_command(
    files: Annotated[list[Path], typer.Argument(help="Bars, a file a symbol.")],
    speed: Annotated[
        float | None, typer.Option(help="Closes a second; as fast as can be without.")
    ] = None,
    store: Annotated[
        Path, typer.Option(help="Directory of its memory; one that is there goes on.")
    ] = paper.FOLDER,
    name: Annotated[str, typer.Option(help="Of the trader.")] = "paper",
    timezone: Timezone = "UTC",
    close_time: CloseTime = None,
    label: Label = None,
    sort: Sort = False,
    as_json: AsJson = False,
) -> None:
    """Let agents trade the bars of files on paper, one after another as if they came.

    What is held and remembered is in the store: stopped or killed, the same command goes
    on with the bars that were not handled yet, and so it does when the files have grown.
    """
    reading = Reading(timezone, close_time, label, sort)
    paper.paper(files, store, name, speed, reading, as_json=as_json)


@app.command("runs")
def runs_command(
    folder: Annotated[Path, typer.Argument(help="Folder that runs were written to.")] = Path(
        "runs"
    ),
    as_json: AsJson = False,
) -> None:
    """List the runs under a folder: what was traded, and what came of it."""
    runs.runs(folder, as_json=as_json)


@app.command("compare")
def compare_command(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs, two or more.")],
    as_json: AsJson = False,
) -> None:
    """Put runs side by side: measures, what differs, and intervals of the differences."""
    runs.compare(folders, as_json=as_json)


@app.command("regimes")
def regimes_command(
    file: Annotated[Path, typer.Argument(help="Bars: .csv, .csv.gz or .parquet.")],
    symbol: Annotated[
        str | None, typer.Option(help="Name of the instrument; the file's by default.")
    ] = None,
    lookback: Annotated[int, typer.Option(min=40, help="Bars of the features.")] = 100,
    plot: Annotated[
        bool, typer.Option("--plot", help="Write SYMBOL-regimes.html into the current folder.")
    ] = False,
    timezone: Timezone = "UTC",
    close_time: CloseTime = None,
    label: Label = None,
    sort: Sort = False,
    as_json: AsJson = False,
) -> None:
    """Tell the regime of each bar of a file, from the bars up to it."""
    reading = Reading(timezone, close_time, label, sort)
    regimes.regimes(regimes.Wanted(file, symbol, lookback, plot, reading), as_json=as_json)


@app.command("stats")
def stats_command(path: StorePath, as_json: AsJson = False) -> None:
    """Print the counters and sizes of a store."""
    stores.stats(path, as_json=as_json)


@app.command("verify")
def verify_command(path: StorePath, as_json: AsJson = False) -> None:
    """Check a store: every checksum, count and index entry.

    Exits with 1 if one is wrong.
    """
    stores.verify(path, as_json=as_json)


@app.command("backup")
def backup_command(
    path: StorePath,
    dest: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    as_json: AsJson = False,
) -> None:
    """Write everything in a store to one file, as of one moment."""
    keeping.backup(path, dest, as_json=as_json)


@app.command("restore")
def restore_command(
    src: Annotated[Path, typer.Argument(help="A file that a backup made.")],
    path: Annotated[Path, typer.Argument(help="A directory that is new or empty.")],
    engine: Annotated[
        Literal["redb", "sled"], typer.Option(help="Engine of the new store.")
    ] = "redb",
    as_json: AsJson = False,
) -> None:
    """Make a store from a backup, all of it or nothing, and check it."""
    keeping.restore(src, path, engine, as_json=as_json)


@app.command("compact")
def compact_command(path: StorePath, as_json: AsJson = False) -> None:
    """Give back the room that a store's file does not need."""
    keeping.compact(path, as_json=as_json)


@app.command("recall")
def recall_command(
    path: StorePath,
    text: Annotated[
        str | None, typer.Argument(help="What to look for; without it, the latest records.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="This namespace and those below it.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Records of this kind.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Records of this symbol.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Point in time, as 2008-10-10 or 2008-10-10T21:00 (UTC).")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, help="How many records.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Print what a store recalls as of a time, and why."""
    wanted = stores.Wanted(text, namespace, kind, symbol, as_of, top)
    stores.recall(path, wanted, as_json=as_json)


@app.command("export")
def export_command(
    path: StorePath,
    file: Annotated[Path, typer.Argument(help="New file: .jsonl, .jsonl.gz or .parquet.")],
    namespace: Annotated[
        str | None, typer.Option(help="This namespace and those below it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write all records of a store, with all their versions, to a new file."""
    exchange.export(path, file, namespace, as_json=as_json)


@app.command("import")
def import_command(
    path: Annotated[Path, typer.Argument(help="Directory of a store; a new one is made.")],
    file: Annotated[Path, typer.Argument(help="A file that ntm export wrote.")],
    options: Annotated[
        bool, typer.Option(help="Give namespaces the options that they had.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Read the records of a file into a store that has none of them."""
    exchange.import_(path, file, options=options, as_json=as_json)
