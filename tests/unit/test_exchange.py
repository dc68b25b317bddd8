"""Records to a file and back: what is kept, what is refused, and what is left behind."""

import gzip
import sys

import numpy as np
import pytest

from builders import axis, day, record, with_fields
from nt_memory import (
    DimensionMismatchError,
    Filter,
    ForgottenError,
    InvalidEmbeddingError,
    NtMemoryError,
    Outcome,
    SerializationError,
    VectorSpace,
)
from nt_memory.exchange import _import, jsonlines

PAYLOADS = [
    {"a": [1, 2.5, None, True, "ü"], "b": {"c": -1}},
    b"\x00\xff",
    np.arange(6, dtype=">i2").reshape(2, 3),
    {"$bytes": "no tag", "deep": [{"$x": np.zeros((0, 2))}]},
    [float("inf"), float("-inf"), -0.0, 2**64 - 1],
    [],
]


def test_every_field_comes_back(memory, copy, path):
    given = record(
        id="one",
        known_at=day(1),
        agent_id="a",
        symbol="SPY",
        regime="bull",
        expires_at=day(9),
        importance=2.0,
        confidence=0.5,
        text="gold",
        embedding=[0.1, -0.0, 1e-30, 3.0],
        attributes={"s": 1.5, "w": "q", "l": ["p"]},
        payload={"n": 1},
        tags=["t"],
    )
    memory.remember(given)
    memory.export(path)
    copy.import_(path)
    assert copy.get_record("one", as_of=day(5)) == memory.get_record("one", as_of=day(5))


@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_a_payload_comes_back_to_the_byte(memory, copy, path, payload):
    memory.remember(record(id="one", payload=payload, outcome=Outcome(1.0, payload)))
    memory.export(path)
    copy.import_(path)
    (before, after) = (store.store.versions("one") for store in (memory, copy))
    assert [raw.payload for raw in before] == [raw.payload for raw in after]
    assert before[-1].outcome == after[-1].outcome


def test_embeddings_come_back_to_the_bit(memory, copy, path):
    rng = np.random.default_rng(0)
    bits = rng.integers(0x00800000, 0x7F000000, (200, 4), dtype=np.uint32)
    memory.remember_many(record(id=f"{n}", embedding=row) for n, row in enumerate(bits.view("f4")))
    memory.export(path)
    copy.import_(path)
    for n, row in enumerate(bits):
        assert (copy.get_record(f"{n}").embedding.view(np.uint32) == row).all()


def test_an_outcome_keeps_its_own_known_at(memory, copy, path):
    memory.remember(record(id="one"))
    memory.settle("one", Outcome(1.0, known_at=day(3)))
    memory.settle("one", Outcome(2.0, known_at=day(5)), revise=True)
    memory.export(path)
    copy.import_(path)
    asked = [copy.get_record("one", as_of=day(n)).outcome for n in (2, 3, 5)]
    assert [made and made.reward for made in asked] == [None, 1.0, 2.0]


def test_records_are_counted_not_versions(memory, copy, path):
    memory.remember_many([record(id="one"), record(id="one", importance=2.0), record(id="two")])
    assert (memory.export(path), copy.import_(path)) == (2, 2)


def test_an_empty_memory_makes_an_empty_file(memory, copy, path):
    assert (memory.export(path), copy.import_(path)) == (0, 0)


def test_a_namespace_and_a_filter_choose(memory, tmp_path):
    memory.remember_many(
        [record(symbol="SPY"), record(symbol="QQQ"), record(namespace="other", symbol="SPY")]
    )
    assert memory.export(tmp_path / "a.jsonl", namespace="trades") == 2
    assert memory.export(tmp_path / "b.jsonl", filter=Filter(symbol="SPY")) == 2


def test_forgotten_records_are_left_out(memory, path):
    memory.remember_many([record(id="one"), record(id="two")])
    memory.forget("one")
    assert memory.export(path) == 1


def test_the_same_records_give_the_same_bytes(memory, tmp_path):
    memory.remember(record(id="one"))
    for name in "ab":
        memory.export(tmp_path / f"{name}.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_file_that_is_there_is_not_touched(memory, path):
    path.write_text("mine")
    with pytest.raises(ValueError, match="there already: delete it or choose"):
        memory.export(path)
    assert path.read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(memory, path):
    memory.remember(record())

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.export(path, progress=stop)
    assert list(path.parent.iterdir()) == []


def test_a_format_is_told_by_suffix_or_name(memory, copy, tmp_path):
    with pytest.raises(ValueError, match=r"give one of jsonl, jsonl.gz, parquet"):
        memory.export(tmp_path / "records.csv")
    memory.remember(record())
    memory.export(tmp_path / "records", format="parquet")
    assert copy.import_(tmp_path / "records", format="parquet") == 1


def test_progress_ends_with_the_whole(memory, copy, path):
    memory.remember_many([record(), record()])
    told = []
    memory.export(path, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    copy.import_(path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (path.stat().st_size,) * 2


def test_a_missing_extra_is_named(memory, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "nt_memory.exchange.parquet", raising=False)
    monkeypatch.delattr("nt_memory.exchange.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nt-memory\[arrow\]"'):
        memory.export(tmp_path / "a.parquet")


def test_a_record_that_is_there_is_named_and_nothing_changes(memory, copy, path):
    memory.remember_many([record(id="one"), record(id="two")])
    memory.export(path)
    copy.remember(record(id="two", importance=5.0))
    with pytest.raises(ValueError, match=r"a record 'two' already.*; 0 records were imported"):
        copy.import_(path)
    assert copy.get_record("one") is None
    assert copy.get_record("two").importance == 5.0


def test_a_forgotten_record_is_not_brought_back(memory, path):
    memory.remember(record(id="one"))
    memory.export(path)
    memory.forget("one")
    with pytest.raises(ForgottenError, match="'one' was forgotten"):
        memory.import_(path)


def test_what_was_imported_before_an_error_is_told(memory, copy, path, monkeypatch):
    monkeypatch.setattr(_import, "BATCH_VERSIONS", 2)
    memory.remember_many([record(id=name) for name in "abcde"])
    memory.export(path)
    copy.remember(record(id="e"))
    with pytest.raises(ValueError, match=r"'e' already.*; 4 records were imported before"):
        copy.import_(path)
    assert copy.store.select() == list("abcde")


def test_other_spaces_are_refused_with_the_place(memory, path, open_on, clock):
    memory.remember_many([record(id="a"), record(id="b", embedding=axis(0))])
    memory.export(path)
    with (
        open_on(clock, spaces={"state": VectorSpace(dim=8)}) as other,
        pytest.raises(DimensionMismatchError, match=r"(line 3|row 2): .*; 0 records"),
    ):
        other.import_(path)


BAD_FIELDS = {
    "id": ["", 1, None, " "],
    "namespace": [None, "a//b", 5],
    "kind": [None, ""],
    "event_time": [None, 5, "yesterday", "2024-01-01T00:00:00", [], {}],
    "known_at": [None, "2024-13-01T00:00:00+00:00", True],
    "expires_at": [5, "never"],
    "importance": [None, "1", -1, True, 10**400],
    "confidence": [2, "x", []],
    "text": [5, "\ud800"],
    "embeddings": [None, [], {"state": None}, {"state": [1, 2]}, {"state": [1, "a", 0, 0]},
                   {"state": [True, 0, 0, 1]}, {"state": [[1]]}, {"none": [1, 0, 0, 0]},
                   {"state": [10**400, 0, 0, 1]}, {"state": [1e300, 0, 0, 1]}],
    "attributes": [None, [], {"a": None}, {"a": True}, {"a": {}}, {"a": [1]}, {"a": 10**400}],
    "payload": [{"$bytes": "?"}, {"$bytes": 5}, {"$array": {}}, {"$new": 1}, {"$float": "1"},
                {"$bytes": "", "b": 1}, {"$object": 1}, {"$msgpack": []}, 2**64,
                {"$array": {"dtype": "<O8", "shape": [0], "data": ""}},
                {"$array": {"dtype": "<f4", "shape": [2**70], "data": ""}},
                {"$array": {"dtype": "<f4", "shape": 5, "data": ""}},
                {"$array": {"dtype": "<b8", "shape": [1], "data": ""}}],
    "outcome": [5, {}, {"reward": None, "known_at": None, "payload": None},
                {"reward": 1, "known_at": "2020-01-01T00:00:00+00:00", "payload": None}],
    "tags": [None, "t", [1]],
    "parents": [None, {}],
    "trust": [None, 5],
    "writer": [None, 5],
    "version": [None, -1, 0, 1.5],
    "commit": ["x"],
    "recorded_at": [None],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_FIELDS.items() for value in values],
    ids=lambda value: f"{value!r:.40}".encode("ascii", "replace").decode(),
)
def test_a_bad_field_is_refused_with_its_line(lines, copy, name, value):
    bad = lines(lambda rows: with_fields(rows, **{name: value}))
    with pytest.raises(NtMemoryError, match=r"bad.jsonl, line [23]: .*; 0 records were imported"):
        copy.import_(bad)
    assert copy.store.select() == []


BAD_LINES = {
    "cut off": lambda rows: [*rows[:2], rows[2][:50]],
    "garbage": lambda rows: [*rows[:2], b"\xff\xfe\x00"],
    "empty": lambda rows: [*rows[:2], b""],
    "no object": lambda rows: [*rows[:2], b"5"],
    "depth": lambda rows: [*rows[:2], b"[" * 1_000_000],
    "deep payload": lambda rows: [
        *rows[:2],
        rows[2].replace(b'"payload":null', b'"payload":' + b"[" * 900 + b"]" * 900),
    ],
    "nan": lambda rows: [*rows[:2], rows[2].replace(b"[1.0,", b"[NaN,")],
    "infinite": lambda rows: [*rows[:2], rows[2].replace(b"[1.0,", b"[1e999,")],
    "many digits": lambda rows: [*rows[:2], b"9" * 10_000],
    "unknown field": lambda rows: with_fields(rows, colour="red"),
    "missing field": lambda rows: [*rows[:2], rows[2].replace(b'"trust":', b'"thrust":')],
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_refused_by_number(lines, copy, name):
    with pytest.raises(NtMemoryError, match=r"bad.jsonl, line [23]: "):
        copy.import_(lines(BAD_LINES[name]))
    assert copy.store.select() == []


def test_an_unknown_field_is_named(lines, copy):
    with pytest.raises(SerializationError, match="unknown field 'colour'"):
        copy.import_(lines(BAD_LINES["unknown field"]))


def test_not_a_number_is_no_embedding(lines, copy):
    with pytest.raises((SerializationError, InvalidEmbeddingError), match="NaN"):
        copy.import_(lines(BAD_LINES["nan"]))


def test_another_version_of_the_format_is_refused_by_name(lines, copy):
    bad = lines(lambda rows: with_fields(rows, place=0, version=2))
    with pytest.raises(SerializationError, match="'nt-memory records' of version 2"):
        copy.import_(bad)


def test_what_is_no_export_is_refused(lines, copy):
    with pytest.raises(SerializationError, match="line 1: the file does not begin as an export"):
        copy.import_(lines(lambda rows: rows[1:]))


def test_a_line_that_is_too_long_is_not_read(lines, copy, tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlines, "MAX_LINE", 10_000)
    bomb = tmp_path / "bomb.jsonl.gz"
    head = lines(lambda rows: rows[:1]).read_bytes()
    bomb.write_bytes(gzip.compress(head + b" " * 10_000_000))
    with pytest.raises(SerializationError, match=r"line 2: longer than 10,000 bytes"):
        copy.import_(bomb)


def test_versions_that_are_apart_are_refused(lines, copy):
    def apart(rows):
        first, other = with_fields(rows[:2], 1, id="other"), rows[2]
        return [*first, other, first[1]]

    with pytest.raises(SerializationError, match=r"line 4: record 'other' again"):
        copy.import_(lines(apart))


def test_versions_that_do_not_ascend_are_refused(lines, copy):
    with pytest.raises(SerializationError, match=r"line 3: the versions of record 'one' do not"):
        copy.import_(lines(lambda rows: [rows[0], rows[2], rows[1]]))


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".parquet"])
def test_a_damaged_file_is_refused_wherever_it_is_damaged(memory, open_on, clock, tmp_path, suffix):
    memory.remember_many(record(id=f"{n}", embedding=axis(n % 4), text="gold") for n in range(20))
    good = tmp_path / f"good{suffix}"
    memory.export(good)
    content, rng = good.read_bytes(), np.random.default_rng(0)
    bad = tmp_path / f"bad{suffix}"
    for place in rng.integers(0, len(content), 100):
        cut = content[:place]
        bad.write_bytes(
            cut if place % 2 else cut + bytes([content[place] ^ 255]) + content[place + 1 :]
        )
        with open_on(clock) as copy:
            try:
                copy.import_(bad)  # a changed byte may mean nothing, as in the header of gzip
            except (NtMemoryError, ValueError) as error:
                assert bad.name in str(error)  # noqa: PT017


def test_a_column_of_another_type_is_refused_by_name(memory, copy, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    memory.remember(record())
    memory.export(tmp_path / "good.parquet")
    table = pq.read_table(tmp_path / "good.parquet")
    place = table.schema.names.index("importance")
    changed = table.set_column(place, "importance", pa.array(["1"]))
    pq.write_table(changed, tmp_path / "bad.parquet")
    with pytest.raises(SerializationError, match="column 'importance' is string, not double"):
        copy.import_(tmp_path / "bad.parquet")
    pq.write_table(table.append_column("colour", pa.array(["red"])), tmp_path / "more.parquet")
    with pytest.raises(SerializationError, match="unknown column 'colour'"):
        copy.import_(tmp_path / "more.parquet")
