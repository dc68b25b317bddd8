"""How long regimes last and what comes after them, as knowledge that grows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nt_memory.clock import LAST, micros, to_micros
from nt_memory.coordination._rows import until_unchanged
from nt_memory.errors import ForgottenError
from nt_memory.experience.semantic import SemanticMemory
from nt_memory.experience.semantic_store import SHARED_KNOWLEDGE, SemanticStore
from nt_memory.regime.labels import Regime
from nt_memory.store import Expect, Put

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from nt_memory.system import MemorySystem


class RegimeStatistics:
    """The spells of a symbol's regimes, counted in the shared REGIME knowledge.

    A regime has one entry: ``typical_duration`` is the mean length of its spells in
    seconds, ``transition_probability`` the share of the spells that went over into each
    other regime; the counts behind them are its ``conditions``.  Each change is a new
    version, known from the time at which it was seen: as of an earlier time, the earlier
    numbers show.  What several writers count at once is all counted, but each spell and
    each change once, whoever saw it: what comes at or before the last that was counted of
    its kind is none.  After an entry was forgotten, a new one begins.

    Parameters
    ----------
    memory
        A `MemorySystem` that may write to ``shared/knowledge``.
    symbol
        Whose regimes.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> from nt_memory import MemorySystem, Regime
    >>> monday = datetime(2024, 1, 8, tzinfo=timezone.utc)
    >>> with MemorySystem(":memory:") as memory:
    ...     statistics = RegimeStatistics(memory, "SPY")
    ...     _ = statistics.update_regime_duration(Regime.QUIET, timedelta(days=3), monday)
    ...     _ = statistics.update_transition_probability(Regime.QUIET, Regime.CRISIS, monday)
    ...     quiet = statistics.entry(Regime.QUIET, as_of=monday)
    ...     quiet.typical_duration, quiet.transition_probability
    (259200.0, {'CRISIS': 1.0})
    """

    def __init__(self, memory: MemorySystem, symbol: str) -> None:
        self._memory = memory
        self._symbol = symbol
        self._knowledge = SemanticStore(memory)

    def update_regime_duration(self, regime: Regime, duration: timedelta, at: datetime) -> bool:
        """Count a spell that has ended; return whether it was not counted before.

        Parameters
        ----------
        regime
            Which regime it was.
        duration
            How long it lasted; not negative.
        at
            From when that is known; aware.
        """
        seconds = micros(duration, "duration") / 1e6

        def counted(counts: dict[str, Any]) -> dict[str, Any]:
            spells, lasted = counts.get("spells", 0) + 1, counts.get("seconds", 0.0) + seconds
            return {**counts, "spells": spells, "seconds": lasted}

        return self._grow(regime, at, "spells", counted)

    def update_transition_probability(self, old: Regime, new: Regime, at: datetime) -> bool:
        """Count that one regime went over into another, known from ``at`` on.

        Returns
        -------
        Whether it was not counted before.

        Raises
        ------
        ValueError
            The two are the same.
        """
        following = Regime(new).value
        if Regime(old).value == following:
            msg = f"new={following}: give another regime than the old one"
            raise ValueError(msg)

        def counted(counts: dict[str, Any]) -> dict[str, Any]:
            changes = counts.get("changes", {})
            return {**counts, "changes": {**changes, following: changes.get(following, 0) + 1}}

        return self._grow(old, at, "changes", counted)

    def entry(self, regime: Regime, as_of: datetime | None = None) -> SemanticMemory | None:
        """Return what was known of a regime; None where nothing was."""
        return self._found(Regime(regime), as_of)[2]

    def _found(
        self, regime: Regime, as_of: datetime | None
    ) -> tuple[str, bytes | None, SemanticMemory | None]:
        """Return the first id of a regime that was not forgotten, its versions and its entry."""
        id_ = first = f"regime/{self._symbol}/{regime.value}"
        begun = 1
        while True:
            # Read before the entry: who writes in between is noticed.
            versions = self._memory.store.get(SHARED_KNOWLEDGE, id_)
            try:
                return id_, versions, self._knowledge.get(id_, as_of)
            except ForgottenError:
                begun += 1
                id_ = f"{first}/{begun}"

    def _grow(
        self,
        regime: Regime,
        at: datetime,
        kind: str,
        counted: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> bool:
        """Write the next version of an entry, on what the last one has counted."""
        to_micros(at, "at")
        return until_unchanged(lambda: self._attempt(Regime(regime), at, kind, counted))

    def _attempt(
        self,
        regime: Regime,
        at: datetime,
        kind: str,
        counted: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> bool:
        now = to_micros(at)
        # The last version, also where the bars are ahead of the clock.  The key changes with
        # every version, so that of two writers one begins again.
        id_, versions, entry = self._found(regime, LAST)
        if entry is None:
            entry = SemanticMemory(
                memory_type="REGIME",
                created_at=at,
                memory_id=id_,
                regime_name=regime.value,
                conditions={"symbol": self._symbol},
                tags=(self._symbol,),
            )
        counts = dict(entry.conditions or {})
        last = counts.get("last", {})
        if kind in last and now <= last[kind]:
            return False
        counts = {**counted(counts), "last": {**last, kind: now}}
        changes = counts.get("changes", {})
        total = sum(changes.values())
        entry = replace(
            entry,
            conditions=counts,
            typical_duration=counts["seconds"] / counts["spells"] if "spells" in counts else None,
            transition_probability={name: n / total for name, n in changes.items()} or None,
        )
        known_at = at if entry.known_at is None else max(at, entry.known_at)
        following = b"%d" % (int(versions or b"0") + 1)
        self._memory.store.commit(
            [
                Expect(SHARED_KNOWLEDGE, id_, versions),
                Put(SHARED_KNOWLEDGE, id_, following),
                *self._knowledge.changes([entry], known_at),
            ]
        )
        return True
