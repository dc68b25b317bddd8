"""Less after losses: a guard between a decision and the position that is taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nt_memory._shown import shown
from nt_memory._values import finite, pack, unpack
from nt_memory.clock import Bars, from_micros, micros, to_micros
from nt_memory.records import Record
from nt_memory.store import Put, Write

if TYPE_CHECKING:
    from typing import Any

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
        if isinstance(self.losses, bool) or not isinstance(self.losses, int) or self.losses < 1:
            msg = f"losses={shown(self.losses)}: give a whole number of at least 1"
            raise ValueError(msg)
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
        How many outcomes of each symbol it was told, where that was named.
    """

    outcomes: int = 0
    streak: int = 0
    paused_until: datetime | None = None
    equity: float = 1.0
    peak: float = 1.0
    told: dict[str, int] = field(default_factory=dict)

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
        self._memory = memory
        self.name = name
        self.limits = limits or RiskLimits()
        self.state = self._read()

    def exposure(self, at: datetime) -> float:
        """Return the share of a decision to take at a time, 0 to 1."""
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
        symbol: str | None = None,
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
        symbol
            What was traded, so that who comes after a restart knows what was told.
        """
        finite("pnl", pnl)
        if equity is not None and finite("equity", equity) <= 0.0:
            msg = f"equity={shown(equity)}: give a value above 0"
            raise ValueError(msg)
        before = self.state
        value = before.equity if equity is None else equity
        told = dict(before.told)
        if symbol is not None:
            told[symbol] = told.get(symbol, 0) + 1
        state = replace(
            before,
            outcomes=before.outcomes + 1,
            equity=value,
            peak=max(before.peak, value),
            told=told,
        )
        is_paused = before.paused_until is not None and at < before.paused_until
        streak = 0 if pnl >= 0.0 or is_paused else before.streak + 1
        if streak >= self.limits.losses:
            until = from_micros(to_micros(at, "at") + micros(self.limits.pause))
            why = f"paused after {streak} losses in succession"
            return self._step(replace(state, streak=0, paused_until=until), at, why)
        state = replace(state, streak=streak)
        limit = self.limits.drawdown
        if (before.drawdown > limit) != (state.drawdown > limit):
            how = "holds less" if state.drawdown > limit else "holds all again"
            return self._step(state, at, f"{how}: {state.drawdown:.1%} below the peak")
        self._keep(state)
        return None

    def reset(self, at: datetime, why: str = "by hand") -> None:
        """Begin anew: no streak, no pause, and the peak is what the equity is now."""
        state = self.state
        anew = RiskState(state.outcomes, equity=state.equity, peak=state.equity, told=state.told)
        self._step(anew, at, f"reset {why}")

    def _step(self, state: RiskState, at: datetime, why: str) -> str:
        if self._memory is not None:
            step = Record(
                namespace=NAMESPACE,
                kind=KIND,
                event_time=at,
                text=f"{self.name} {why}",
                attributes={"guard": self.name},
                payload={**_plain(state), "why": why},
            )
            ops = [Put(NAMESPACE, self.name, pack(_plain(state)))]
            self._memory.store.commit([*ops, *map(Write, self._memory.raws([step]))])
        self.state = state
        return why

    def _keep(self, state: RiskState) -> None:
        """Take in what calls for nothing."""
        if self._memory is not None and state != self.state:
            self._memory.put(NAMESPACE, self.name, pack(_plain(state)))
        self.state = state

    def _read(self) -> RiskState:
        row = None if self._memory is None else self._memory.get(NAMESPACE, self.name)
        if row is None:
            return RiskState()
        told = unpack(row)
        until = told["paused_until"]
        return RiskState(**{**told, "paused_until": None if until is None else from_micros(until)})


def _plain(state: RiskState) -> dict[str, Any]:
    until = state.paused_until
    return {**asdict(state), "paused_until": None if until is None else to_micros(until)}
