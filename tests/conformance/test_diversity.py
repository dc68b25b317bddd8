"""vector_search with diversity: what is unlike better matches comes earlier."""

from conformance.builders import axis, do, found, record, search, vector, write
from nt_memory.store import Write


def embedded(store, id_, *numbers, **fields):
    write(store, id_, embeddings={"state": vector(*numbers)}, **fields)


def spread(store):
    """Write two twins and one unlike them."""
    embedded(store, "a", 1, 0.1, 0, 0)
    embedded(store, "b", 1, 0.11, 0, 0)
    embedded(store, "c", 0.6, -0.8, 0, 0)


def test_without_diversity_the_most_similar_come_first(store):
    spread(store)
    assert found(store, vector=axis(0)) == ["a", "b", "c"]


def test_diversity_prefers_what_is_unlike_better_matches(store):
    spread(store)
    assert found(store, vector=axis(0), diversity=0.5) == ["a", "c", "b"]


def test_diversity_leaves_the_best_match_first(store):
    spread(store)
    assert found(store, vector=axis(0), diversity=0.9, top_k=1) == ["a"]


def test_diversity_leaves_scores_as_they_are(store):
    spread(store)
    plain = {match.id: match.score for match in search(store, vector=axis(0)).matches}
    diverse = {m.id: m.score for m in search(store, vector=axis(0), diversity=0.5).matches}
    assert diverse == plain


def test_diversity_works_on_an_order_too(store):
    spread(store)
    write(store, "d")
    assert found(store, order_by="event_time", diversity=1.0)[0] == "a"


def test_what_has_no_embedding_is_unlike_everything(store):
    embedded(store, "a", 1, 0, 0, 0)
    embedded(store, "b", 1, 0, 0, 0)
    write(store, "c")
    assert found(store, diversity=0.5) == ["a", "c", "b"]


def test_only_the_best_hundred_are_chosen_among(store):
    near = [
        Write(record(f"n{n:03}", embeddings={"state": vector(1, n / 1e3, 0, 0)}))
        for n in range(100)
    ]
    do(store, *near, Write(record("z", embeddings={"state": vector(-1, 0, 0, 0)})))
    assert "z" not in found(store, vector=axis(0), diversity=1.0, top_k=10)
