"""Configuration: defaults, the environment, TOML, and what is refused."""

import dataclasses
from datetime import timedelta

import pytest

from builders import START
from nt_memory import (
    CacheConfig,
    HashingEmbedding,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    SystemClock,
    VectorConfig,
    VectorSpace,
)


def test_the_defaults_are_those_documented():
    config = MemoryConfig()
    assert (config.cache.max_entries, config.cold_engine, config.vector.quantization) == (
        100_000,
        "redb",
        "f16",
    )


def test_the_default_spaces_are_state_and_text():
    assert {name: space.dim for name, space in MemoryConfig().spaces.items()} == {
        "state": 256,
        "text": 256,
    }


def test_a_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MemoryConfig().seed = 1


@pytest.mark.parametrize(
    ("made", "field", "value"),
    [
        (CacheConfig, "max_entries", 0),
        (CacheConfig, "max_entries", 1.5),
        (CacheConfig, "max_entries", True),
        (CacheConfig, "ttl", 0),
        (CacheConfig, "ttl", -1),
        (CacheConfig, "track_access", "yes"),
        (CacheConfig, "max_bytes", 0),
        (VectorSpace, "dim", 0),
        (VectorSpace, "dim", 65_537),
        (VectorSpace, "metric", "euclid"),
        (VectorSpace, "encoder", ""),
        (VectorConfig, "engine", "hnsw"),
        (VectorConfig, "quantization", "i4"),
        (MemoryConfig, "cold_engine", "rocksdb"),
        (MemoryConfig, "storage_path", "redis://localhost"),
        (MemoryConfig, "storage_path", 5),
        (MemoryConfig, "durability", "maybe"),
        (MemoryConfig, "max_memory_bytes", 10),
        (MemoryConfig, "seed", -1),
        (MemoryConfig, "seed", 2**64),
        (MemoryConfig, "enable_compression", 1),
        (MemoryConfig, "clock", "now"),
        (MemoryConfig, "cache", {"max_entries": 5}),
        (MemoryConfig, "vector", "exact"),
        (MemoryConfig, "spaces", {"state": 256}),
    ],
)
def test_a_bad_value_is_refused_with_field_and_value(made, field, value):
    shown = value["state"] if field == "spaces" else value
    with pytest.raises(ValueError, match=rf"{field}.*={shown!r}"):
        made(**{field: value})


def test_a_bad_number_is_refused_with_its_range():
    with pytest.raises(ValueError, match="from 1 to 8,192"):
        VectorSpace(dim=0)
    with pytest.raises(ValueError, match=r"vector.m=257: give an integer from 4 to 64"):
        VectorConfig(engine="hnsw_rs", m=257)
    with pytest.raises(ValueError, match=r"vector.ef_construction=8: give an integer from 16 to"):
        VectorConfig(ef_construction=8)


def test_a_bad_choice_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="'redb', 'sled', 'memory'"):
        MemoryConfig(cold_engine="rocksdb")


def test_a_path_is_a_configuration():
    assert MemoryConfig.of("some/where").storage_path == "some/where"


def test_memory_keeps_nothing():
    assert MemoryConfig.of(":memory:").cold_engine == "memory"


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("CACHE_MAX_ENTRIES", "10", lambda config: config.cache.max_entries == 10),
        ("CACHE_TTL", "1.5", lambda config: config.cache.ttl == 1.5),
        ("CACHE_TRACK_ACCESS", "false", lambda config: config.cache.track_access is False),
        ("CACHE_MAX_BYTES", "1024", lambda config: config.cache.max_bytes == 1024),
        ("VECTOR_ENGINE", "exact", lambda config: config.vector.engine == "exact"),
        ("VECTOR_ENGINE", "hnsw_rs", lambda config: config.vector.engine == "hnsw_rs"),
        ("VECTOR_QUANTIZATION", "f32", lambda config: config.vector.quantization == "f32"),
        ("STORAGE_PATH", "some/where", lambda config: config.storage_path == "some/where"),
        ("COLD_ENGINE", "sled", lambda config: config.cold_engine == "sled"),
        ("SPACES", "state=8, a=16", lambda config: config.spaces["a"] == VectorSpace(dim=16)),
        ("ENABLE_COMPRESSION", "0", lambda config: config.enable_compression is False),
        ("MAX_MEMORY_BYTES", "2097152", lambda config: config.max_memory_bytes == 2_097_152),
        ("DURABILITY", "none", lambda config: config.durability == "none"),
        ("SEED", "7", lambda config: config.seed == 7),
    ],
)
def test_a_variable_sets_its_field(name, value, read):
    assert read(MemoryConfig.from_env({f"NT_MEMORY_{name}": value}))


def test_variables_of_others_are_left_alone():
    assert MemoryConfig.from_env({"PATH": "/bin"}) == MemoryConfig()


def test_the_environment_of_the_process_is_read(monkeypatch):
    monkeypatch.setenv("NT_MEMORY_SEED", "9")
    assert MemoryConfig.from_env().seed == 9


def test_the_password_of_a_url_is_not_told():
    with pytest.raises(ValueError, match=r"redis://\.\.\.@host/0") as refused:
        MemoryConfig(storage_path="redis://user:pass@word@host/0")
    assert "word@" not in str(refused.value)


def test_the_value_of_an_unknown_variable_is_not_told():
    with pytest.raises(ValueError, match="NT_MEMORY_TOKEN is no setting") as refused:
        MemoryConfig.from_env({"NT_MEMORY_TOKEN": "secret"})
    assert "secret" not in str(refused.value)


def test_an_unknown_variable_is_refused_with_those_known():
    with pytest.raises(ValueError, match=r"NT_MEMORY_SEDE.*NT_MEMORY_SEED"):
        MemoryConfig.from_env({"NT_MEMORY_SEDE": "7"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_MAX_ENTRIES", "many"),
        ("CACHE_TTL", "an hour"),
        ("CACHE_TRACK_ACCESS", "maybe"),
        ("SPACES", "state"),
        ("SPACES", "state=big"),
        ("SEED", "x"),
    ],
)
def test_a_variable_that_cannot_be_read_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"NT_MEMORY_{name}='{value}'"):
        MemoryConfig.from_env({f"NT_MEMORY_{name}": value})


def write_toml(tmp_path, text):
    path = tmp_path / "memory.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_toml_file_sets_fields_and_tables(tmp_path):
    path = write_toml(
        tmp_path,
        'cold_engine = "sled"\n[cache]\nttl = 60\n[vector]\nengine = "hnsw_rs"\n'
        '[spaces.state]\ndim = 8\nencoder = "bars-v1"\n',
    )
    config = MemoryConfig.from_toml(path)
    assert (config.cold_engine, config.cache.ttl, config.vector.engine, config.spaces) == (
        "sled",
        60,
        "hnsw_rs",
        {"state": VectorSpace(dim=8, encoder="bars-v1")},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sede = 7", "'sede' is no setting; known are cache"),
        ("[cache]\nsize = 7", "'cache.size' is no setting; known are max_entries"),
        ("[spaces.state]\nsize = 7", "'spaces.state.size' is no setting; known are dim"),
        ("cache = 7", r"cache=7: give a table, as in \[cache\]"),
        ("spaces = 7", r"spaces=7: give a table, as in \[spaces.state\]"),
        ("spaces.state = 7", r"spaces\.state=7: give a table"),
        ('clock = "now"', "a clock is given in code"),
        ("seed = -1", "seed=-1: give an integer"),
        ("seed = ", "memory.toml: "),
    ],
)
def test_a_bad_toml_file_is_refused_with_file_and_reason(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"memory.toml: .*{message}|{message}"):
        MemoryConfig.from_toml(write_toml(tmp_path, text))


def test_a_memory_runs_by_the_clock_of_its_configuration(clock):
    with MemorySystem(MemoryConfig(cold_engine="memory", clock=clock)) as memory:
        assert memory.clock is clock


def test_a_memory_runs_by_the_clock_that_it_is_given(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        assert memory.clock is clock


def test_a_memory_runs_by_the_clock_of_the_machine_else():
    with MemorySystem(":memory:") as memory:
        assert isinstance(memory.clock, SystemClock)


def test_two_different_clocks_are_refused(clock):
    config = MemoryConfig(cold_engine="memory", clock=clock)
    with pytest.raises(ValueError, match="give it once"):
        MemorySystem(config, clock=ManualClock(START + timedelta(days=1)))


def test_an_embedder_of_another_length_is_refused():
    config = MemoryConfig(cold_engine="memory", spaces={"text": VectorSpace(dim=8)})
    with pytest.raises(ValueError, match=r"16 floats.*dim=8"):
        MemorySystem(config, embedder=HashingEmbedding(16))


def test_an_embedder_other_than_that_of_the_space_is_refused():
    config = MemoryConfig(cold_engine="memory", spaces={"text": VectorSpace(8, encoder="other")})
    with pytest.raises(ValueError, match=r"'other'.*'hashing-v1-8'"):
        MemorySystem(config)


def test_an_embedder_without_a_space_for_text_is_refused():
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(8)})
    with pytest.raises(ValueError, match="needs a space 'text'"):
        MemorySystem(config, embedder=HashingEmbedding(8))
