"""How fast memory should fade: half-lives walk-forward, each chosen by the past alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import finite, whole
from nt_memory.agents.evidence import weigh
from nt_memory.agents.outcomes import SETTLED, STATE
from nt_memory.backtest.windows import walk_forward
from nt_memory.clock import ManualClock, from_micros
from nt_memory.config import MemoryConfig, VectorSpace
from nt_memory.policy import StateEncoder
from nt_memory.recall import Weights
from nt_memory.records import Outcome, Record
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nt_memory.market import BarSeries, Floats

HALF_LIVES: tuple[float | None, ...] = (5.0, 10.0, 20.0, 60.0, 120.0, 250.0, 500.0, None)
_LONGEST = 1e6
_NAMESPACE = "swarm/decay/states"
# Half of the score is likeness, half is recency; without a half-life likeness is all.
_FADING = Weights(0.5, 0.5, 0.0, 0.0)
_LASTING = Weights(1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Fading:
    """What memory with one half-life was worth.

    Parameters
    ----------
    half_life
        In bars; None does not fade.
    ic
        Information coefficient: the rank correlation of the outcome that memory told with
        the one that came, over all bars that were traded; 0 where one of them never varied.
    chosen
        In how many windows it was the best of the past.
    """

    half_life: float | None
    ic: float
    chosen: int


@dataclass(frozen=True, slots=True)
class DecayWindow:
    """What was chosen on the bars before a window, and what it was worth in it."""

    first: int
    last: int
    chosen: float | None
    ic: float
    ic_lasting: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Half-lives side by side, and the walk-forward that chose among them.

    Parameters
    ----------
    rows
        One a half-life, over the whole series: choosing by these is choosing after the fact.
    windows
        One a window: chosen before, worth in it.
    """

    rows: tuple[Fading, ...]
    windows: tuple[DecayWindow, ...]

    @property
    def gain(self) -> float:
        """Mean over windows of the chosen one's coefficient less that of lasting memory."""
        return float(np.mean([each.ic - each.ic_lasting for each in self.windows]))

    @property
    def standard_error(self) -> float:
        """Of the gain, windows taken as independent; infinite of one window."""
        gains = np.array([each.ic - each.ic_lasting for each in self.windows])
        return float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else np.inf

    @property
    def verdict(self) -> str:
        """What that comes to, in words: two standard errors are the bound."""
        if abs(self.gain) <= 2.0 * self.standard_error:
            return "no evidence that fading helps"
        return "fading helped" if self.gain > 0.0 else "fading hurt"


def tune_decay(
    bars: BarSeries,
    half_lives: Sequence[float | None] = HALF_LIVES,
    *,
    holding: int = 5,
    top_k: int = 10,
    train: int = 1000,
    test: int = 250,
    seed: int = 0,
    on_bar: Callable[[], None] = lambda: None,
) -> Tuning:
    """Recall like bars with several half-lives and compare what they tell with what comes.

    At each close the ``top_k`` best earlier bars with a known outcome are recalled, by
    likeness and recency, and their mean outcome is what memory tells.  In each window
    the half-life is taken that told best on the bars before it.

    Parameters
    ----------
    bars
        The market.
    half_lives
        In bars, each above 0; None does not fade.
    holding
        Bars from a decision to its outcome.
    top_k
        Bars that are recalled.
    train, test
        Bars that the choice is made on, and that it is held to.
    seed
        Of ids.
    on_bar
        Called after each bar.

    Raises
    ------
    ValueError
        A half-life cannot be, or the series is too short for one window.
    """
    given = _checked(half_lives)
    whole("holding", holding, 1)
    whole("top_k", top_k, 2)
    start = StateEncoder.warm_up
    least = start + train + 2 * holding + 1
    if len(bars) < least:
        msg = f"bars: {len(bars)} are too few, give {least} or more"
        raise ValueError(msg)
    told = _told(bars, given, holding, top_k, seed, on_bar)
    came = np.array([bars.outcome(bar, holding) for bar in range(start, len(bars) - holding)])
    count = len(came)
    windows = []
    for window in walk_forward(count, train=train, test=test, holding=holding):
        past, held = slice(window.train.start, window.train.stop), _slice(window.test)
        scores = [_ic(told[place, past], came[past]) for place in range(len(given))]
        best = int(np.argmax(scores))
        lasting = told[given.index(None)] if None in given else told[-1]
        windows.append(
            DecayWindow(
                start + window.test.start,
                start + window.test.stop - 1,
                given[best],
                _ic(told[best, held], came[held]),
                _ic(lasting[held], came[held]),
            )
        )
    rows = [
        Fading(each, _ic(told[place, :count], came), sum(w.chosen == each for w in windows))
        for place, each in enumerate(given)
    ]
    return Tuning(tuple(rows), tuple(windows))


def _told(
    bars: BarSeries,
    half_lives: list[float | None],
    holding: int,
    top_k: int,
    seed: int,
    on_bar: Callable[[], None],
) -> Floats:
    """Return what memory tells at each bar with each half-life; NaN where it knows too little."""
    encoder = StateEncoder()
    states = encoder.encode_all(bars)
    told = np.full((len(half_lives), len(bars) - encoder.warm_up), np.nan)
    # A bar lasts as long as most of them do: over weekends memory fades no faster.
    interval = timedelta(microseconds=float(np.diff(bars.times).mean()))
    clock = ManualClock(bars.closed_at(0))
    spaces = {"state": VectorSpace(encoder.dim, encoder=encoder.id)}
    config = MemoryConfig(cold_engine="memory", spaces=spaces, clock=clock, seed=seed)
    waiting: deque[tuple[int, str]] = deque()
    with MemorySystem(config) as memory:
        for column, bar in enumerate(range(encoder.warm_up, len(bars))):
            at = from_micros(int(bars.times[bar]))
            clock.set(at)
            while waiting and waiting[0][0] + holding <= bar:
                decided, id_ = waiting.popleft()
                memory.settle(id_, Outcome(bars.outcome(decided, holding), known_at=at))
            for place, half_life in enumerate(half_lives):
                found = memory.recall(
                    embedding=states[bar],
                    namespace=_NAMESPACE,
                    filter=SETTLED,
                    top_k=top_k,
                    half_life=None if half_life is None else half_life * interval,
                    weights=_LASTING if half_life is None else _FADING,
                    exact=True,
                    log=False,
                )
                rewards = [hit.record.outcome.reward for hit in found if hit.record.outcome]
                if len(rewards) == top_k:
                    told[place, column] = weigh(rewards, [hit.score for hit in found]).mean
            record = Record(namespace=_NAMESPACE, kind=STATE, event_time=at, embedding=states[bar])
            waiting.append((bar, memory.remember(record)))
            on_bar()
    return told


def _ic(told: Floats, came: Floats) -> float:
    """Return the rank correlation of what was told with what came, where both are there."""
    known = np.isfinite(told) & np.isfinite(came)
    if known.sum() < 3:
        return 0.0
    left, right = (_ranks(values[known]) for values in (told, came))
    spread = float(left.std() * right.std())
    return float(((left - left.mean()) * (right - right.mean())).mean() / spread) if spread else 0.0


def _ranks(values: Floats) -> Floats:
    """Return ranks, those of equal values as their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def _slice(places: range) -> slice:
    return slice(places.start, places.stop)


def _checked(half_lives: Sequence[float | None]) -> list[float | None]:
    given = list(half_lives)
    for each in given:
        if each is not None and not 0.0 < finite("half_lives", each) <= _LONGEST:
            msg = f"half_lives={shown(given)}: give bars above 0 to a million, or None for lasting"
            raise ValueError(msg)
    if len(set(given)) < len(given) or None not in given:
        msg = f"half_lives={shown(given)}: give each once, and None, which the others are held to"
        raise ValueError(msg)
    return given
