"""Everything that shapes a backtest beside the bars and the strategies, fixed before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from nt_memory._shown import shown
from nt_memory._values import finite, whole
from nt_memory.backtest.bootstrap import FEWEST, MOST
from nt_memory.backtest.engine import Costs
from nt_memory.backtest.sizing import Sizing
from nt_memory.backtest.windows import Window, walk_forward

MEMORY, PLAIN, SHUFFLED, HOLD = "memory", "no memory", "shuffled memory", "buy and hold"


@dataclass(frozen=True, slots=True)
class Settings:
    """The terms of a backtest, the same for every arm.

    Parameters
    ----------
    seed
        Of ids, placebos and the bootstrap.
    holding
        Bars from a decision to its outcome.
    train
        Bars on which strategies only learn, before they trade.
    test
        Bars that are traded before the next window begins, with new
        strategies that learn on the ``train`` bars before it; None for one
        window, traded to the end.
    step, embargo
        See `walk_forward`; they need ``test``.
    sizing
        From wanted weights to positions.
    costs
        Of every fill.
    baseline
        The arm that the verdict compares the first one with.
    variants
        Arms that were tried in place of the first: each is compared with the
        baseline, and all intervals are the wider for it.
    resamples, level
        Of the bootstrap.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    seed: int = 0
    holding: int = 5
    train: int = 252
    test: int | None = None
    step: int | None = None
    embargo: int = 0
    sizing: Sizing = field(default_factory=Sizing)
    costs: Costs = field(default_factory=Costs)
    baseline: str = PLAIN
    variants: tuple[str, ...] = ()
    resamples: int = 5000
    level: float = 0.95

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("holding", 1), ("train", 1), ("resamples", 100)):
            whole(name, getattr(self, name), least)
        if self.resamples > MOST:
            msg = f"resamples={shown(self.resamples)}: give at most {MOST:,}"
            raise ValueError(msg)
        if not 0.0 < finite("level", self.level) < 1.0:
            msg = f"level={shown(self.level)}: give a share between 0 and 1, such as 0.95"
            raise ValueError(msg)
        given = self.variants
        if isinstance(given, str) or len(set(given)) < len(given) or self.baseline in given:
            msg = f"variants={shown(given)}: give each once, in a list, without the baseline"
            raise ValueError(msg)
        if self.test is None and (self.step is not None or self.embargo):
            msg = f"step={shown(self.step)}, embargo={shown(self.embargo)}: give test too"
            raise ValueError(msg)
        if self.test is not None:
            # Whatever the market: what no window can be made of is told at once.
            least = self.fewest_bars
            walk_forward(
                least,
                train=self.train,
                test=self.test,
                step=self.step,
                embargo=self.embargo,
                holding=self.holding,
            )

    @property
    def fewest_bars(self) -> int:
        """The shortest market on which arms can be compared."""
        gap = 0 if self.test is None else self.holding + self.embargo
        return self.train + gap + FEWEST + 1

    def windows(self, n_bars: int) -> list[Window]:
        """Return what is learnt from and what is traded of a market.

        In one window nothing is left out before the test: the strategies go
        on, and an outcome is met when it is known.

        Raises
        ------
        ValueError
            The market is shorter than `fewest_bars`.
        """
        whole("n_bars", n_bars, 0)
        if n_bars < self.fewest_bars:
            msg = f"bars: {n_bars} are too few, give {shown(self.fewest_bars)} or more"
            raise ValueError(msg)
        if self.test is None:
            return [Window(range(self.train), range(self.train, n_bars))]
        return walk_forward(
            n_bars,
            train=self.train,
            test=self.test,
            step=self.step,
            embargo=self.embargo,
            holding=self.holding,
        )
