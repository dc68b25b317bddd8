"""``python -m crash.power_cuts --engine sled --images 1000``: count what power cuts leave."""

import argparse
import sys

from crash.cuts import cut_power
from crash.judge import VERDICTS
from crash.power import STORIES


def main():
    """Cut the power in every story, and print a table."""
    parser = argparse.ArgumentParser(prog="crash.power_cuts")
    parser.add_argument("--engine", choices=["redb", "sled"], default="sled")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rows = []
    for number, story in enumerate(STORIES):
        count = (chosen.images + number) // len(STORIES)
        tally = cut_power(story, chosen.engine, count, chosen.seed, _progress(story, count))
        rows.append((story.name, tally))
    sys.stdout.write("\r" + " " * 60 + "\r" + _table(rows))
    for _, tally in rows:
        for example in tally.examples:
            sys.stdout.write(f"{example}\n")


def _progress(story, count):
    def progress(tally):
        sys.stderr.write(f"\r{story.name}: {tally.counts.total()} of {count} images" + " " * 20)
        sys.stderr.flush()

    return progress


def _table(rows):
    total = {verdict: sum(tally.counts[verdict] for _, tally in rows) for verdict in VERDICTS}
    lines = [(name, tally.counts) for name, tally in rows] + [("all", total)]
    text = "".join(f"{verdict:>9}" for verdict in VERDICTS)
    table = f"{'':24}{text}\n"
    for name, counts in lines:
        table += f"{name:24}" + "".join(f"{counts[verdict]:9}" for verdict in VERDICTS) + "\n"
    return table


if __name__ == "__main__":
    main()
