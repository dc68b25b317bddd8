"""The soak runs, and tells growth from none."""

import pytest

from crash.soak import grows, soak


def test_a_short_soak_ends_with_a_sound_store(tmp_path):
    assert len(soak(tmp_path, 3, samples=6)) == 6


@pytest.mark.parametrize(
    ("samples", "grown"),
    [([5, 9, 9, 9, 9, 9], False), ([1, 2, 3, 4, 5, 6], True), ([9, 9, 5, 5, 6, 5], True)],
)
def test_growth_is_told_from_none(samples, grown):
    assert grows(samples) is grown
