"""The command line: what it prints, and how it fails."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest

from builders import record
from nt_memory import MemorySystem


@pytest.fixture
def store(tmp_path):
    """Return the path of a closed store with one value."""
    with MemorySystem(tmp_path / "store") as memory:
        memory.put("strategies", "active", b"wyckoff")
    return tmp_path / "store"


def test_help_names_the_commands(ntm):
    code, out, _ = ntm("--help")
    assert code == 0
    for command in ("backup", "compact", "demo", "export", "import", "recall", "restore"):
        assert command in out
    for command in ("backtest", "check-lookahead", "compare", "paper", "runs", "stats", "verify"):
        assert command in out


def test_the_module_runs_as_the_command():
    made = subprocess.run(
        [sys.executable, "-m", "nt_memory.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.startswith("nt-memory ")


def test_an_unknown_option_is_a_usage_error(ntm):
    assert ntm("demo", "--sed", "1")[0] == 2


def test_too_few_bars_are_a_usage_error(ntm):
    code, _, err = ntm("demo", "--bars", "100")
    assert code == 2
    assert "650" in err


def test_stats_as_json(ntm, store):
    code, out, _ = ntm("stats", store, "--json")
    assert code == 0
    assert json.loads(out)["l3_entries"] >= 1


def test_stats_as_a_table(ntm, store):
    code, out, _ = ntm("stats", store)
    assert code == 0
    assert "l3_entries" in out


def test_verify_of_a_sound_store(ntm, store):
    assert ntm("verify", store)[:2] == (0, "no problem found\n")


def test_a_backup_is_restored(ntm, store, tmp_path):
    code, out, _ = ntm("backup", store, tmp_path / "friday.backup", "--json")
    assert code == 0
    assert json.loads(out)["rows"] >= 1
    code, out, _ = ntm("restore", tmp_path / "friday.backup", tmp_path / "again")
    assert code == 0
    assert "problems  none" in out
    with MemorySystem(tmp_path / "again") as memory:
        assert memory.get("strategies", "active") == b"wyckoff"


def test_a_restored_store_of_another_engine_is_found(ntm, store, tmp_path):
    ntm("backup", store, tmp_path / "friday.backup")
    assert ntm("restore", tmp_path / "friday.backup", tmp_path / "sled", "--engine", "sled")[0] == 0
    assert ntm("verify", tmp_path / "sled")[:2] == (0, "no problem found\n")


def test_a_backup_over_a_file_is_refused(ntm, store, tmp_path):
    (tmp_path / "mine").write_text("mine")
    code, _, err = ntm("backup", store, tmp_path / "mine")
    assert code == 1
    assert "mine exists" in err


def test_compact_tells_what_it_gave_back(ntm, store):
    code, out, _ = ntm("compact", store, "--json")
    assert code == 0
    assert json.loads(out)["bytes after"] <= json.loads(out)["bytes before"]


def test_a_path_without_a_store_is_one_line_with_the_way_out(ntm, tmp_path):
    code, _, err = ntm("stats", tmp_path / "none")
    assert code == 1
    assert err.count("\n") == 1
    assert "runs/demo-1/store" in err
    assert not (tmp_path / "none").exists()


def test_recall_prints_what_it_finds_as_of_a_time(ntm, store):
    code, out, _ = ntm("recall", store, "--as-of", "2008-10-10")
    assert code == 0
    assert "as of 2008-10-10" in out


def test_a_bad_time_is_a_usage_error(ntm, store):
    code, _, err = ntm("recall", store, "--as-of", "yesterday")
    assert code == 2
    assert "2008-10-10" in err


def test_a_missing_extra_is_named(ntm, monkeypatch):
    monkeypatch.delitem(sys.modules, "nt_memory.cli.app", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)
    code, _, err = ntm("--help")
    assert code == 1
    assert 'pip install "nt-memory[cli]"' in err


@pytest.fixture
def trades(tmp_path):
    """Return the path of a closed store with two records."""
    with MemorySystem(tmp_path / "trades") as memory:
        memory.remember_many([record(id="one"), record(id="two", namespace="other")])
    return tmp_path / "trades"


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet"])
def test_records_are_exported_and_imported(ntm, trades, tmp_path, suffix):
    file = tmp_path / f"records.{suffix}"
    assert ntm("export", trades, file)[:2] == (0, f"exported 2 records, {file}\n")
    assert ntm("import", tmp_path / "new", file)[:2] == (0, f"imported 2 records, {file}\n")
    with MemorySystem(tmp_path / "new") as memory:
        assert memory.get_record("one").kind == "trade"


def test_a_namespace_is_exported_with_json(ntm, trades, tmp_path):
    file = tmp_path / "records.jsonl"
    code, out, _ = ntm("export", trades, file, "--namespace", "trades", "--json")
    assert (code, json.loads(out)) == (0, {"records": 1, "file": str(file)})


def test_a_second_export_to_a_file_is_one_line_with_the_way_out(ntm, trades, tmp_path):
    ntm("export", trades, tmp_path / "a.jsonl")
    code, _, err = ntm("export", trades, tmp_path / "a.jsonl")
    assert (code, err.count("\n")) == (1, 1)
    assert "choose another name" in err


def test_an_import_leaves_options_where_told(ntm, trades, tmp_path):
    file, new = tmp_path / "a.jsonl", tmp_path / "new"
    with MemorySystem(trades) as memory:
        memory.configure_namespace("trades", history=True)
    assert ntm("export", trades, file)[0] == 0
    with MemorySystem(new) as memory:
        memory.configure_namespace("trades", ttl=timedelta(days=1))
    code, _, err = ntm("import", new, file)
    assert (code, "import with" in err) == (1, True)
    assert ntm("import", new, file, "--no-options")[0] == 0


def test_a_second_import_is_one_line_with_the_record(ntm, trades, tmp_path):
    ntm("export", trades, tmp_path / "a.jsonl")
    code, _, err = ntm("import", trades, tmp_path / "a.jsonl")
    assert (code, err.count("\n")) == (1, 1)
    assert "'one' already" in err


def test_a_missing_file_makes_no_store(ntm, tmp_path):
    code, _, err = ntm("import", tmp_path / "new", tmp_path / "none.jsonl")
    assert code == 1
    assert "ntm export" in err
    assert not (tmp_path / "new").exists()
