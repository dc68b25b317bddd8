"""new_id: ULIDs, which follow from seed, opening and counter under a manual clock."""

from conformance.builders import START, forget, write
from stores import SEED

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MASK = 2**64 - 1


def mixed(value):
    """Return the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def expected(counter, generation=1):
    high = mixed((mixed(SEED ^ mixed(generation)) + counter) & MASK)
    value = (START // 1000) << 80 | high << 16 | mixed(high) & 0xFFFF
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def test_ids_follow_from_the_seed_and_a_counter(store):
    assert [store.new_id() for _ in range(3)] == [expected(0), expected(1), expected(2)]


def test_an_id_begins_with_the_time(store, clock):
    first = store.new_id()
    clock.advance_us(1000)
    assert store.new_id()[:10] > first[:10]


def test_a_record_without_an_id_takes_the_next(store):
    store.new_id()
    assert write(store, "") == expected(1)


def test_an_id_that_is_taken_is_passed_over(store):
    write(store, expected(0))
    write(store, expected(2))
    forget(store, expected(2))
    assert store.new_id() == expected(1)
    assert write(store, "") == expected(3)
