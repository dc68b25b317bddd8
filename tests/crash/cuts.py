"""Cut the power many times, and count what the images turn out to be."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass, field, replace

from crash.judge import VERDICTS
from crash.power import images, laid, record
from processes import hangs, python, told

# Images of one recording: further moments of it tell less than another recording.
IMAGES_A_RECORDING = 40
# Far more than an image needs, in seconds.
LONGEST = 120


@dataclass
class Tally:
    """How many images had which verdict, and the first few that were not whole."""

    counts: Counter = field(default_factory=Counter)
    examples: list = field(default_factory=list)

    def add(self, verdict, what):
        self.counts[verdict] += 1
        if verdict != "whole" and len(self.examples) < 5:
            self.examples.append((verdict, *what))

    def never(self, *verdicts):
        """Fail where an image had one of these verdicts."""
        assert not any(self.counts[verdict] for verdict in verdicts), (self.counts, self.examples)


class Court:
    """Asks a process for verdicts; takes another where one dies or hangs."""

    def __init__(self):
        self.running = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._end()

    def judge(self, order, acknowledged):
        if self.running is None:
            # What engines say while they panic over an image is no news.
            self.running = python("crash.judge", errors=subprocess.DEVNULL)
            self.process = self.running.__enter__()
        told(self.process, json.dumps({"order": vars(order), "acknowledged": acknowledged}))
        if hangs(self.process, LONGEST):
            self._end()
            return "hung", []
        line = self.process.stdout.readline()
        if not line:
            self._end()
            return "died", []
        return json.loads(line)

    def _end(self):
        if self.running is not None:
            self.running.__exit__(None, None, None)
            self.running = None


def cut_power(
    story, engine, count, seed=0, told=lambda tally: None, change=lambda recording: recording
):
    """Judge so many images of a story, of as many recordings as that needs.

    ``change`` makes of each recording what a broken writer would have done.
    """
    tally = Tally()
    with Court() as court:
        for first in range(0, count, IMAGES_A_RECORDING):
            recording = change(record(story, engine, seed + first))
            judge_images(court, tally, recording, min(IMAGES_A_RECORDING, count - first))
            told(tally)
    return tally


def judge_images(court, tally, recording, count):
    """Judge so many images of a recording."""
    seed = recording.order.seed
    for cut, image in images(recording, count, seed):
        with laid(image) as path:
            order = replace(recording.order, path=str(path))
            verdict, lines = court.judge(order, cut.acknowledged)
        assert verdict in VERDICTS
        tally.add(verdict, (recording.story.name, seed, cut, lines[:3]))
