"""A table writes exactly the records that its rows would be one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import day
from conftest import open_memory
from nt_memory import ManualClock, NtMemoryError, Outcome, Provenance, Record
from property.machines import plain
from tables import fields, rows, tables


def record(row):
    made = fields(row)
    outcome, provenance = made.pop("outcome"), made.pop("provenance")
    return Record(
        outcome=Outcome(**outcome) if outcome else None,
        provenance=Provenance(**provenance),
        **made,
    )


def written(kind, given_):
    """Return all versions that are written, or the class of the error."""
    with open_memory(kind, ManualClock(day(10))) as memory:
        try:
            ids = memory.remember_many(given_)
        except (NtMemoryError, ValueError) as error:
            assert memory.stats()["records"] == 0
            return type(error)
        return ids, [[plain(version) for version in memory.store.versions(id_)] for id_ in ids]


@pytest.mark.parametrize("kind", ["model", "native"])
@given(data=st.data(), made=rows())
def test_a_table_writes_what_its_rows_write_as_records(kind, data, made):
    table = data.draw(tables(made)) if made else {"namespace": "a", "kind": "k", "event_time": []}
    assert written(kind, table) == written(kind, [record(row) for row in made])
