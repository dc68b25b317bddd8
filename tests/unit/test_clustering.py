"""Groups of vectors that point the same way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from nt_memory.clustering import NO_GROUP, cluster


def planted(n, groups, tightness, strays=0.0, dim=64, seed=0):
    """Return vectors around some directions, whose they are, and which of them are strays."""
    rng = np.random.default_rng(seed)

    def units(count):
        rows = rng.standard_normal((count, dim))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    middles, whose, noise = units(groups), rng.integers(0, groups, n), units(n)
    rows = middles[whose] * tightness + noise * np.sqrt(1.0 - tightness**2)
    stray = rng.random(n) < strays
    rows[stray] = noise[stray]
    return rows.astype(np.float32), whose, stray


@pytest.mark.parametrize("tightness", [0.99, 0.95, 0.9])
@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("method", ["leader", "hdbscan"])
def test_planted_groups_are_found(n, tightness, method):
    rows, whose, stray = planted(n, 12, tightness, strays=0.1)
    found = cluster(rows, similarity=0.8, least=5, method=method)
    assert adjusted_rand_score(whose[~stray], found[~stray]) >= 0.9


def test_strays_are_in_no_group():
    rows, _, stray = planted(2000, 8, 0.95, strays=0.3)
    found = cluster(rows, similarity=0.8, least=3)
    assert (found[stray] == NO_GROUP).all()
    assert (found[~stray] != NO_GROUP).all()


@given(st.integers(0, 10_000), st.integers(1, 80), st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=60)
def test_groups_are_large_and_tight_enough_and_numbered_as_they_come(seed, n, similarity):
    rows, *_ = planted(n, 4, 0.8, strays=0.2, dim=8, seed=seed)
    found = cluster(rows, similarity=similarity, least=3)
    assert (found == cluster(rows, similarity=similarity, least=3)).all()
    kept = found[found != NO_GROUP]
    assert kept.size == 0 or np.bincount(kept).min() >= 3
    first = [int(np.flatnonzero(found == number)[0]) for number in range(kept.max(initial=-1) + 1)]
    assert first == sorted(first)


def test_lengths_do_not_matter():
    rows, *_ = planted(200, 5, 0.95)
    longer = rows * np.linspace(0.1, 50.0, len(rows), dtype=np.float32)[:, None]
    groups = cluster(rows, similarity=0.8, least=3)
    assert (groups == cluster(longer, similarity=0.8, least=3)).all()


def test_near_middles_are_one_group():
    # Each of the ends is too far from the other, and near the middle between them.
    angles = np.radians([0.0, 1.0, 30.0, 31.0, 60.0, 61.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = cluster(rows, similarity=np.cos(np.radians(35.0)), least=2)
    assert found.tolist() in ([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1])


def test_opposite_vectors_are_not_alike():
    rows = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], dtype=np.float32)
    assert cluster(rows, similarity=0.8, least=2).tolist() == [0, 1, 0, 1]


def test_nothing_has_no_groups():
    assert cluster(np.zeros((0, 4), dtype=np.float32), similarity=0.8, least=3).tolist() == []


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method='dbscan'"):
        cluster(np.eye(3, dtype=np.float32), similarity=0.8, least=2, method="dbscan")
