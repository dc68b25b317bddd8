"""Whatever happens to the files of a closed store: an error that names them, or right answers."""

import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from crash.corruption import ENGINES, KEPT, Examiner, examined, shares, specimens
from crash.faults import FAULTS
from crash.reseal import reseal

MUTATIONS = int(os.environ.get("NT_MEMORY_MUTATIONS", "1000"))
# Behind a seal that fits the damage: each costs a checksum in plain Python.
RESEALED = MUTATIONS // 20
WORKERS = 2


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Each engine's store, closed well and killed."""
    return specimens(tmp_path_factory.mktemp("specimens"))


def judged(stores, count, *prepare):
    """Damage so many copies; return the outcomes and what broke the promise."""
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = pool.map(lambda seeds: examined(stores, seeds, *prepare), shares(count, WORKERS))
    outcomes, failures = zip(*parts, strict=True)
    return sum(outcomes, Counter()), list(chain(*failures))


def test_damage_gives_an_error_that_names_the_file_or_right_answers(stores):
    outcomes, failures = judged(stores, MUTATIONS)
    assert not failures, "\n".join(failures[:20])
    for store in stores:
        assert outcomes[store.name, "open"] > outcomes[store.name, "harmless"], outcomes


def test_the_engines_themselves_neither_die_nor_hang_nor_raise_what_names_no_file(stores):
    closed = [store for store in stores if not store.killed]
    outcomes, _ = judged(closed, RESEALED, reseal)
    assert {kind for _, kind in outcomes} <= KEPT | {"wrong answer"}, outcomes


def with_the_files_of(other):
    """Replace a whole directory by another one, which is a valid store."""

    def prepare(path, _engine):
        shutil.rmtree(path)
        shutil.copytree(other, path)

    return prepare


def test_another_whole_store_is_found_out(stores):
    with Examiner() as examiner:
        for store in stores:
            _, kind, why = examiner.judge(store, None, prepare=with_the_files_of(store.donor))
            assert kind == "wrong answer", why


def test_a_copy_without_damage_is_harmless(stores):
    with Examiner() as examiner:
        for store in stores:
            assert examiner.judge(store, None) == ("nothing", "harmless", "")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("a damaged value", "wrong answer"),
        ("a lost value", "wrong answer"),
        ("a lost key", "wrong answer"),
        ("a lost write", "wrong answer"),
        ("an error of Python", "nameless error"),
        ("an error without a place", "nameless error"),
        ("an error that verify does not explain", "nothing verified"),
        ("a hang", "hang"),
        ("a death", "death"),
        ("too much memory", "memory"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_that_breaks_the_promise_is_found_out(stores, engine, fault, kind):
    store = next(store for store in stores if store.engine == engine)
    # Only what hangs need not be waited for.
    with Examiner(patience=3 if kind == "hang" else 60) as examiner:
        _, found, why = examiner.judge(store, None, fault)
    assert found == kind, why
    assert kind not in KEPT


def test_every_fault_is_tried():
    tried = test_a_store_that_breaks_the_promise_is_found_out.pytestmark[1].args[1]
    assert {fault for fault, _ in tried} == set(FAULTS) - {None}
