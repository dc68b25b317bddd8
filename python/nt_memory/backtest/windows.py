"""Walk-forward windows: learn on a stretch of bars, trade on the one after it."""

from __future__ import annotations

from dataclasses import dataclass

from nt_memory._shown import shown
from nt_memory._values import whole

# Each is a run of its own.
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """Bars that are only learnt from, and the later ones that are traded."""

    train: range
    test: range


def walk_forward(
    n_bars: int,
    *,
    train: int,
    test: int,
    step: int | None = None,
    embargo: int = 0,
    holding: int = 0,
) -> list[Window]:
    """Cut a series into windows, oldest first; the last test may be shorter.

    No outcome of a training bar ends inside the test: the bars whose outcome
    would, and ``embargo`` more of them, lie between the two and are in neither
    (Lopez de Prado 2018, chapter 7).

    Parameters
    ----------
    n_bars
        Bars in all.
    train, test
        Bars in each part.
    step
        Bars from one test to the next, at least ``test``, which it is by default.
    embargo
        Bars left out before each test beside those of the outcomes.
    holding
        Bars from a decision to its outcome.

    Raises
    ------
    ValueError
        A count is out of its range, or not one window fits.

    Examples
    --------
    >>> for window in walk_forward(20, train=8, test=4, embargo=1, holding=2):
    ...     print(window.train, window.test)
    range(0, 8) range(11, 15)
    range(4, 12) range(15, 19)
    range(8, 16) range(19, 20)
    """
    whole("test", test, 1)
    step = test if step is None else step
    for name, value, least in (
        ("train", train, 1),
        ("step", step, test),
        ("embargo", embargo, 0),
        ("n_bars", n_bars, 0),
        ("holding", holding, 0),
    ):
        whole(name, value, least)
    gap = holding + embargo
    if n_bars <= train + gap:
        first = shown(train + gap)
        msg = f"n_bars={n_bars}: too few for a window, which begins to trade at bar {first}"
        raise ValueError(msg)
    if (n_bars - train - gap - 1) // step >= _MOST:
        msg = (
            f"n_bars={shown(n_bars)}: are more than {_MOST:,} windows with step={shown(step)}; "
            "give a longer step"
        )
        raise ValueError(msg)
    return [
        Window(range(start - gap - train, start - gap), range(start, min(start + test, n_bars)))
        for start in range(train + gap, n_bars, step)
    ]
