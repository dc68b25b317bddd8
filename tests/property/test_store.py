"""Every engine answers as the oracle does, whatever happened before; broken stores are caught."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from nt_memory.testing import ModelStore
from nt_memory.testing._state import State
from nt_memory.testing._version import Bound
from property.machines import AgainstItsPast, AgainstOracle
from stores import Model, Native

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
FEW = settings(
    max_examples=120, stateful_step_count=50, deadline=None, suppress_health_check=CHECKS
)
# A broken store is looked for from a fixed start, and the first failure is enough.
HUNT = settings(
    FEW,
    max_examples=400,
    stateful_step_count=60,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
)


def on(machine, subject):
    return type(machine.__name__, (machine,), {"subject": subject})


@pytest.mark.parametrize("engine", ["memory", "redb", "sled"])
def test_an_engine_answers_as_the_oracle_does(engine):
    run_state_machine_as_test(on(AgainstOracle, Native(engine)), settings=FEW)


@pytest.mark.parametrize("engine", ["memory", "redb", "sled"])
def test_a_question_about_the_past_keeps_its_answer(engine):
    run_state_machine_as_test(on(AgainstItsPast, Native(engine)), settings=FEW)


class IgnoresRecordedBy(ModelStore):
    def shown(self, entry, bound):
        return super().shown(entry, Bound(bound.as_of))


class ForgetsInSilence(ModelStore):
    def vector_search(self, query, /):
        found = super().vector_search(query)
        return type(found)(found.matches, found.matched, 0, found.exact, found.commit, found.as_of)


class FallsBackOnExpiry(ModelStore):
    def shown(self, entry, bound):
        seen = [v for v in entry.versions if bound.admits(v) and not v.is_expired(bound.as_of)]
        return max(seen, key=lambda version: version.order, default=None)


class ErasesWithoutHorizon(ModelStore):
    def _check_horizon(self, namespace, at):
        pass

    def _check_recorded_by(self, namespace, time, commit):
        pass

    def _candidates(self, query, bound):
        now = self._now()
        for id_, entry in list(self._state.entries.items()):
            horizon = self._state.horizon(entry.namespace, now)
            if horizon is not None and entry.is_erased(horizon):
                del self._state.entries[id_]
        return super()._candidates(query, bound)


class KeepsEveryRecall(ModelStore):
    def _is_behind(self, logged):
        return False


class LeakyState(State):
    def _settled(self, base, outcome, codes):
        version = super()._settled(base, outcome, codes)
        return type(version)(version.record, base.known_at, codes)


class LeaksOutcomes(ModelStore):
    def __init__(self, clock, **options):
        super().__init__(clock, **options)
        self._state = LeakyState(self._state.spaces, self.new_id)


@pytest.mark.parametrize(
    "broken",
    [IgnoresRecordedBy, ForgetsInSilence, FallsBackOnExpiry, LeaksOutcomes, KeepsEveryRecall],
)
def test_the_comparison_catches_a_broken_store(broken):
    with pytest.raises(AssertionError):
        run_state_machine_as_test(on(AgainstOracle, Model(broken)), settings=HUNT)


@pytest.mark.parametrize("broken", [IgnoresRecordedBy, ForgetsInSilence, ErasesWithoutHorizon])
def test_the_promise_catches_a_broken_store(broken):
    with pytest.raises(AssertionError):
        run_state_machine_as_test(on(AgainstItsPast, Model(broken)), settings=HUNT)
