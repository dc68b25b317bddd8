"""Less after losses: a guard between a decision and the position that is taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from nt_memory._remembering import raws_of
from nt_memory._shown import shown
from nt_memory._values import finite, mapping, pack, unpack, whole
from nt_memory.agents._checks import text
from nt_memory.clock import Bars, from_micros, micros, to_micros
from nt_memory.errors import ConflictError, SerializationError
from nt_memory.records import Record
from nt_memory.store import Expect, Op, Put, Write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.clock import Duration
    from nt_memory.system import MemorySystem

NAMESPACE = "shared/risk"
KIND = "risk"


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """When a guard steps in.

    Parameters
    ----------
    losses
        Losses in succession after which it pauses.
    pause
        For how long nothing is held then.
    drawdown
        Fall of the equity from its peak up to which exposure is whole: 0.05 is 5 %.
    deepest
        Fall from which on it is the least; it falls in a straight line between the two.
    least
        The least exposure, a share of what was decided.
    """

    losses: int = 5
    pause: Duration = Bars(5, timedelta(days=1))  # noqa: RUF009 (frozen)
    drawdown: float = 0.05
    deepest: float = 0.20
    least: float = 0.25

    def __post_init__(self) -> None:
        whole("losses", self.losses)
        micros(self.pause, "pause")
        finite("drawdown", self.drawdown, 0.0, 1.0)
        finite("deepest", self.deepest, 0.0, 1.0)
        finite("least", self.least, 0.0, 1.0)
        if self.deepest <= self.drawdown:
            msg = f"deepest={shown(self.deepest)}: give more than drawdown, {self.drawdown:g}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class RiskState:
    """What a guard knows.

    Parameters
    ----------
    outcomes
        How many it was told.
    streak
        Losses in succession, the last ones.
    paused_until
        Nothing is held before; None where it is not paused.
    equity, peak
        The last value told, and the greatest.
    told
        When the last outcome that a swarm told of was written, by which commit, and its id:
        each is told once, also where a process ended in between.
    """

    outcomes: int = 0
    streak: int = 0
    paused_until: datetime | None = None
    equity: float = 1.0
    peak: float = 1.0
    told: tuple[int, int, str] = (0, 0, "")

    @property
    def drawdown(self) -> float:
        """How far the equity is below its peak: 0.2 is a fifth."""
        return 1.0 - self.equity / self.peak


class RiskGuard:
    """Pauses after a streak of losses and holds less the deeper the equity has fallen.

    What it does is written to ``shared/risk``, each step with its reason, and read from
    there when a guard is made anew.

    Parameters
    ----------
    memory
        Where it writes; None keeps nothing.
    name
        Of what it guards.
    limits
        See `RiskLimits`.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
    >>> guard = RiskGuard(limits=RiskLimits(losses=2))
    >>> guard.outcome(-0.5, at), guard.exposure(at)
    (None, 1.0)
    >>> guard.outcome(-0.2, at)
    'paused after 2 losses in succession'
    >>> guard.exposure(at)
    0.0
    """

    def __init__(
        self,
        memory: MemorySystem | None = None,
        *,
        name: str = "portfolio",
        limits: RiskLimits | None = None,
    ) -> None:
        if limits is not None and not isinstance(limits, RiskLimits):
            msg = f"limits={shown(limits)}: give RiskLimits"
            raise TypeError(msg)
        self._memory = memory
        self.name = text("name", name)
        self.limits = limits or RiskLimits()
        self._row: bytes | None
        self.state = self._read()

    def exposure(self, at: datetime) -> float:
        """Return the share of a decision to take at a time, 0 to 1."""
        to_micros(at, "at")
        state, limits = self.state, self.limits
        if state.paused_until is not None and at < state.paused_until:
            return 0.0
        beyond = (state.drawdown - limits.drawdown) / (limits.deepest - limits.drawdown)
        return 1.0 - (1.0 - limits.least) * min(max(beyond, 0.0), 1.0)

    def outcome(
        self,
        pnl: float,
        at: datetime,
        *,
        equity: float | None = None,
        told: tuple[int, int, str] | None = None,
    ) -> str | None:
        """Take in what a trade led to, and return what the guard did about that, where it did.

        Outcomes within a pause do not count for a streak.

        Parameters
        ----------
        pnl
            Of the trade; its sign counts.
        at
            When it was known.
        equity
            Value of the portfolio after it, above 0; None leaves it as it was.
        told
            Where the outcome lies in a memory; see `RiskState`.

        Raises
        ------
        ValueError, TypeError
            A number or a time cannot be; nothing was taken in.
        ConflictError
            Another guard of this name has taken something in.  What it knows was read:
            tell this one again.
        """
        finite("pnl", pnl)
        to_micros(at, "at")
        if equity is not None and finite("equity", equity) <= 0.0:
            msg = f"equity={shown(equity)}: give a value above 0"
            raise ValueError(msg)
        if told is not None:
            told = _place(told)
        before = self.state
        value = before.equity if equity is None else equity
        state = replace(
            before,
            outcomes=before.outcomes + 1,
            equity=float(value),
            peak=max(before.peak, float(value)),
            told=before.told if told is None else told,
        )
        is_paused = before.paused_until is not None and at < before.paused_until
        streak = 0 if pnl >= 0.0 or is_paused else before.streak + 1
        if streak >= self.limits.losses:
            until = from_micros(to_micros(at) + micros(self.limits.pause))
            why = f"paused after {streak} losses in succession"
            return self._step(replace(state, streak=0, paused_until=until), at, why)
        state = replace(state, streak=streak)
        limit = self.limits.drawdown
        if (before.drawdown > limit) != (state.drawdown > limit):
            how = "holds less" if state.drawdown > limit else "holds all again"
            return self._step(state, at, f"{how}: {state.drawdown:.1%} below the peak")
        self._keep(state, [])
        return None

    def reset(self, at: datetime, why: str = "by hand") -> None:
        """Begin anew: no streak, no pause, and the peak is what the equity is now."""
        to_micros(at, "at")
        text("why", why)
        state = self.state
        anew = replace(state, streak=0, paused_until=None, peak=state.equity)
        self._step(anew, at, f"reset {why}")

    def _step(self, state: RiskState, at: datetime, why: str) -> str:
        """Take in what calls for a step, and write both."""
        step = Record(
            namespace=NAMESPACE,
            kind=KIND,
            event_time=at,
            text=f"{self.name} {why}",
            attributes={"guard": self.name},
            payload={**_plain(state), "why": why},
        )
        self._keep(state, [step])
        return why

    def _keep(self, state: RiskState, steps: list[Record]) -> None:
        if self._memory is not None:
            row = pack(_plain(state))
            mine: list[Op] = [
                Expect(NAMESPACE, self.name, self._row),
                Put(NAMESPACE, self.name, row),
            ]
            try:
                self._memory.store.commit([*mine, *map(Write, raws_of(self._memory, steps))])
            except ConflictError:
                self.state = self._read()
                raise
            self._row = row
        self.state = state

    def _read(self) -> RiskState:
        self._row = None if self._memory is None else self._memory.get(NAMESPACE, self.name)
        if self._row is None:
            return RiskState()
        try:
            return _state(mapping("state", unpack(self._row)))
        except (KeyError, TypeError, ValueError) as error:
            msg = (
                f"{NAMESPACE}, key {shown(self.name)}: holds no state of a guard "
                f"({shown(error)}); give another name, or delete the key to begin anew"
            )
            raise SerializationError(msg) from error


def _state(told: Mapping[str, Any]) -> RiskState:
    """Return what `_plain` gave."""
    until = told["paused_until"]
    equity, peak = finite("equity", told["equity"]), finite("peak", told["peak"])
    if not 0.0 < equity <= peak:
        msg = f"equity={equity}, peak={peak}: cannot be"
        raise ValueError(msg)
    return RiskState(
        outcomes=whole("outcomes", told["outcomes"], 0),
        streak=whole("streak", told["streak"], 0),
        paused_until=None if until is None else from_micros(until),
        equity=equity,
        peak=peak,
        told=_place(told["told"]),
    )


def _place(told: object) -> tuple[int, int, str]:
    """Return where an outcome lies in a memory; see `RiskState`."""
    if isinstance(told, (list, tuple)) and len(told) == 3 and isinstance(told[2], str):
        return whole("told", told[0], 0), whole("told", told[1], 0), told[2]
    msg = f"told={shown(told)}: give when it was written, the number of the commit, and the id"
    raise TypeError(msg)


def _plain(state: RiskState) -> dict[str, Any]:
    until = state.paused_until
    plain = {**asdict(state), "told": list(state.told)}
    return {**plain, "paused_until": None if until is None else to_micros(until)}
