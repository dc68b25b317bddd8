"""What an agent may do through its handle, and what it may not."""

from datetime import datetime, timezone

import numpy as np
import pytest

from nt_memory import (
    AccessDeniedError,
    AgentMemoryMessage,
    Approved,
    ConsensusEngine,
    ConsensusError,
    CorruptionError,
    Filter,
    HorizonError,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    MessageType,
    MultiAgentCoordinator,
    NamespaceError,
    Proposal,
    Provenance,
    Record,
    RecordNotFoundError,
    SerializationError,
    Signal,
    VectorSpace,
    Vote,
    _native,
)
from nt_memory._values import pack
from nt_memory.coordination.proposals import Tally
from nt_memory.store import (
    Configure,
    Delete,
    Expect,
    Fence,
    Forget,
    Increment,
    NamespaceOptions,
    Put,
    Query,
    RawOutcome,
    RawRecord,
    SetRights,
    Settle,
    Write,
)

START = datetime(2024, 1, 2, tzinfo=timezone.utc)
OWN, OTHERS, POOL = "swarm/hedge", "swarm/wyckoff", "shared"
VECTOR = np.ones(8, dtype=np.float32)


def record(namespace, id="", **fields):
    return Record(
        id=id, namespace=namespace, kind="note", event_time=START, embedding=VECTOR, **fields
    )


@pytest.fixture
def memory():
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=8)})
    with MemorySystem(config, clock=ManualClock(START)) as memory:
        for namespace in (OWN, OTHERS, POOL, "desk"):
            memory.put(namespace, "limit", b"5")
            memory.remember(record(namespace, id=f"of:{namespace}"))
        yield memory


@pytest.fixture
def hedge(memory):
    return memory.agent("hedge")


READS = {
    "get": lambda memory, namespace: memory.get(namespace, "limit"),
    "exists": lambda memory, namespace: memory.exists(namespace, "limit"),
    "get_many": lambda memory, namespace: memory.get_many(namespace, ["limit"]),
    "keys": lambda memory, namespace: memory.keys(namespace),
    "peek": lambda memory, namespace: memory.store.peek(namespace, "limit"),
    "options": lambda memory, namespace: memory.store.namespace_options(namespace),
    "recall": lambda memory, namespace: memory.recall(embedding=VECTOR, namespace=namespace).hits,
    "search_similar": lambda memory, namespace: memory.search_similar(namespace, VECTOR),
    "search_batch": lambda memory, namespace: memory.search_batch(namespace, VECTOR[None]),
    "expect": lambda memory, namespace: memory.store.commit(
        [Expect(namespace, "limit", b"5"), Put(memory.mine, "seen", b"")]
    ),
    "is_locked": lambda memory, namespace: memory.is_locked(namespace),
}
WRITES = {
    "put": lambda memory, namespace: memory.put(namespace, "limit", b"6"),
    "put_many": lambda memory, namespace: memory.put_many(namespace, {"limit": b"6"}),
    "delete": lambda memory, namespace: memory.delete(namespace, "limit"),
    "increment": lambda memory, namespace: memory.increment(namespace, "count"),
    "compare_and_set": lambda memory, namespace: memory.compare_and_set(
        namespace, "limit", b"5", b"6"
    ),
    "remember": lambda memory, namespace: memory.remember(record(namespace)),
    "a table": lambda memory, namespace: memory.remember_many(
        {"namespace": [OWN, namespace], "kind": "note", "event_time": [START, START]}
    ),
    "settle": lambda memory, namespace: memory.settle(f"of:{namespace}", {"reward": 1.0}),
    "forget": lambda memory, namespace: memory.forget(f"of:{namespace}"),
    "lock": lambda memory, namespace: memory.acquire_lock(namespace, 0),
}


def everything(memory):
    """What anybody could have changed."""
    namespaces = (OWN, OTHERS, POOL, "desk")
    values = {(n, key): memory.get(n, key) for n in namespaces for key in memory.keys(n)[0]}
    ids = memory.store.select()
    return values, [(id_, len(memory.store.versions(id_))) for id_ in ids]


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("namespace", [OWN, POOL])
def test_an_agent_reads_its_own_and_the_pool(hedge, read, namespace):
    hedge.__dict__["mine"] = OWN
    read(hedge, namespace)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("namespace", [OTHERS, "desk", "swarm/hedge2", "sharedx"])
def test_an_agent_reads_nothing_else(hedge, read, namespace):
    hedge.__dict__["mine"] = OWN
    with pytest.raises(AccessDeniedError, match="hedge"):
        read(hedge, namespace)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_an_agent_reads_what_it_was_granted(memory, hedge, read):
    hedge.__dict__["mine"] = OWN
    memory.grant("hedge", read=[OTHERS])
    read(hedge, OTHERS)
    memory.revoke("hedge")
    with pytest.raises(AccessDeniedError):
        read(hedge, OTHERS)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_an_agent_writes_its_own(hedge, write):
    write(hedge, OWN)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("namespace", [OTHERS, POOL, "desk"])
def test_an_agent_writes_nothing_else(memory, hedge, write, namespace):
    memory.grant("hedge", read=[OTHERS, "desk"])
    before = everything(memory)
    with pytest.raises(AccessDeniedError):
        write(hedge, namespace)
    assert everything(memory) == before
    assert not memory.is_locked(namespace)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_an_agent_writes_to_the_pool_with_that_right(memory, hedge, write):
    memory.grant("hedge", write=[POOL])
    write(hedge, POOL)


@pytest.mark.parametrize(
    "operation",
    [
        Put(OTHERS, "limit", b"6"),
        Delete(OTHERS, "limit"),
        Increment(OTHERS, "count", 1),
        Expect(OTHERS, "limit", b"5"),
        Write(RawRecord(id="", namespace=OTHERS, kind="note", event_time=0, known_at=0)),
        Settle(f"of:{OTHERS}", RawOutcome(1.0)),
        Forget([f"of:{OTHERS}"]),
        Configure(OWN, NamespaceOptions()),
        SetRights("hedge", [], ["swarm"]),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_a_batch_with_one_thing_that_may_not_be_does_nothing(memory, hedge, operation):
    before = everything(memory)
    with pytest.raises(AccessDeniedError):
        hedge.store.commit([Put(OWN, "limit", b"7"), operation])
    assert everything(memory) == before
    assert memory.rights("hedge") == ([], [])


OWNERS = {
    "stats": lambda memory: memory.stats(),
    "verify": lambda memory: memory.verify(),
    "configured": lambda memory: memory.store.configured(),
    "backup": lambda memory: memory.backup("nowhere"),
    "compact": lambda memory: memory.compact(),
    "agent": lambda memory: memory.agent("wyckoff"),
    "grant": lambda memory: memory.grant("hedge", write=["desk"]),
    "revoke": lambda memory: memory.revoke("wyckoff"),
    "rights": lambda memory: memory.rights("wyckoff"),
    "configure": lambda memory: memory.configure_namespace(OWN, history=True),
    "export": lambda memory: memory.export("nowhere.jsonl"),
}


@pytest.mark.parametrize("call", OWNERS.values(), ids=OWNERS)
def test_what_only_the_owner_does(hedge, call):
    with pytest.raises(AccessDeniedError):
        call(hedge)


def test_a_recall_of_everything_sees_what_the_agent_reads(memory, hedge):
    seen = {hit.record.namespace for hit in hedge.recall(embedding=VECTOR, top_k=100).hits}
    assert seen == {OWN, POOL}
    assert len(memory.recall(embedding=VECTOR, top_k=100).hits) == 4


def test_a_recall_above_its_own_sees_what_is_below(hedge):
    hits = hedge.recall(embedding=VECTOR, namespace="swarm").hits
    assert [hit.record.namespace for hit in hits] == [OWN]


def test_a_recall_counts_only_what_the_agent_reads(memory, hedge):
    memory.forget(f"of:{OTHERS}")
    recall = hedge.recall(embedding=VECTOR)
    assert (recall.matched, recall.forgotten) == (2, 0)


def test_a_recall_by_an_agent_is_replayed_by_it_and_by_the_owner(memory, hedge):
    recall = hedge.recall(embedding=VECTOR)
    for who in (hedge, memory):
        assert who.replay(recall.id).hits == recall.hits


def test_a_replay_shows_nothing_that_was_taken_back(memory, hedge):
    memory.grant("hedge", read=[OTHERS])
    recall = hedge.recall(embedding=VECTOR)
    memory.revoke("hedge")
    with pytest.raises(AccessDeniedError):
        hedge.replay(recall.id)
    assert memory.replay(recall.id).hits == recall.hits


def test_an_agent_cannot_ask_beyond_its_bounds(hedge):
    with pytest.raises(AccessDeniedError):
        hedge.store.vector_search(Query(vector=VECTOR, within=["swarm"]))


def test_a_record_of_others_is_as_if_it_was_not_there(hedge):
    assert hedge.get_record(f"of:{OTHERS}") is None
    assert hedge.store.versions(f"of:{OTHERS}") == []
    assert hedge.get_record(f"of:{OWN}") is not None


def test_an_agent_speaks_on_its_own_topics_and_for_itself(memory, hedge):
    heard = memory.subscribe("**")
    for topic in ("hedge", "hedge/updates", "swarm/hedge/updates"):
        hedge.publish(topic, b"here")
        assert heard.recv(1.0).topic == topic
    for topic in ("wyckoff/updates", "swarm/coordination", "shared/news", "desk"):
        with pytest.raises(AccessDeniedError):
            hedge.publish(topic, b"here")
    with pytest.raises(ValueError, match="an agent speaks for itself only"):
        hedge.publish("hedge", said_by("wyckoff"))
    memory.grant("hedge", write=["swarm/coordination"])
    hedge.publish("swarm/coordination", said_by("hedge"))
    assert heard.recv(1.0).content.sender_agent_id == "hedge"
    assert heard.try_recv() is None


def said_by(agent, *recipients):
    return AgentMemoryMessage(
        sender_agent_id=agent,
        recipient_agent_ids=recipients or "all",
        message_type=MessageType.WARNING,
        insight="spreads widen",
    )


def test_an_agent_hears_what_it_may_read(memory, hedge):
    memory.configure_topic("kept/**")
    everything = hedge.subscribe("**")
    for topic in ("wyckoff/updates", "hedge/updates", "desk", "shared/news", "signals/wyckoff"):
        memory.publish(topic, topic.encode())
    assert [everything.recv(1.0).topic for _ in range(2)] == ["hedge/updates", "shared/news"]
    memory.grant("hedge", read=["desk"])
    memory.publish("desk/news", b"")
    assert everything.recv(1.0).topic == "desk/news"
    memory.revoke("hedge")
    memory.publish("desk/more", b"")
    assert everything.try_recv() is None
    assert everything.counts.matched == 3


@pytest.mark.parametrize(
    "pattern", ["wyckoff/*", "desk", "desk/**", "signals/wyckoff", "swarm/wyckoff/**"]
)
def test_an_agent_cannot_listen_where_it_reads_nothing(hedge, pattern):
    with pytest.raises(AccessDeniedError, match="may not listen to"):
        hedge.subscribe(pattern)


def test_an_agent_listens_as_itself(memory, hedge):
    with pytest.raises(AccessDeniedError, match="may not listen as"):
        hedge.subscribe("shared", agent_id="wyckoff")
    mine = hedge.subscribe("shared/*")
    memory.consensus.register_agent("wyckoff", 1)
    memory.publish("shared/news", said_by("desk", "wyckoff"))
    memory.publish("shared/news", said_by("desk", "hedge"))
    assert mine.recv(1.0).content.recipient_agent_ids == ("hedge",)
    assert mine.try_recv() is None


def test_named_subscribers_of_agents_are_their_own(memory, hedge):
    memory.configure_topic("shared/**")
    memory.grant("hedge", read=["desk"])
    memory.configure_topic("desk")
    for topic in ("shared/news", "desk", "shared/news"):
        memory.publish(topic, topic.encode())
    memory.revoke("hedge")
    with (
        memory.subscribe("**", durable="audit") as audit,
        hedge.subscribe("**", durable="audit") as own,
    ):
        assert [audit.recv(1.0).topic for _ in range(3)] == ["shared/news", "desk", "shared/news"]
        assert [own.recv(1.0).topic for _ in range(2)] == ["shared/news", "shared/news"]
        assert own.try_recv() is None


def test_what_an_agent_writes_says_so(memory, hedge):
    lie = Provenance(writer="wyckoff", source="feed", trust=0.5)
    id_ = hedge.remember(record(OWN, provenance=lie))
    (in_table,) = hedge.remember_many(
        {"namespace": OWN, "kind": "note", "event_time": [START], "writer": "wyckoff"}
    )
    written = memory.get_record(id_).provenance
    assert (written.writer, written.source, written.trust) == ("hedge", "feed", 0.5)
    assert memory.get_record(in_table).provenance.writer == "hedge"


def test_an_agent_forgets_its_own_by_a_filter(memory, hedge):
    assert hedge.forget(Filter(kind="note")) == 1
    assert memory.get_record(f"of:{OTHERS}") is not None


def test_the_locks_of_an_agent_are_its_own(memory, hedge):
    memory.grant("hedge", write=["desk"])
    memory.grant("wyckoff", write=["desk"])
    token = hedge.acquire_lock("desk", 0, owner="somebody")
    assert token.owner == "hedge"
    wyckoff = memory.agent("wyckoff")
    for call in (wyckoff.release_lock, wyckoff.extend_lock):
        with pytest.raises(AccessDeniedError, match='which "hedge" holds'):
            call(token)
    hedge.release_lock(token)


def test_an_agent_votes_once_and_for_itself(memory, hedge):
    engine = ConsensusEngine(memory)
    for agent in ("hedge", "wyckoff"):
        engine.register_agent(agent, 1)
    own = ConsensusEngine(hedge)
    id_ = own.submit_proposal(Proposal(proposer="hedge", data={"rebalance": True}))
    with pytest.raises(AccessDeniedError):
        own.vote(Vote(id_, "wyckoff", approve=True))
    own.vote(Vote(id_, "hedge", approve=True))
    with pytest.raises(AccessDeniedError):
        hedge.put(f"consensus/{id_}/votes", "hedge", b"changed")
    with pytest.raises(AccessDeniedError):
        hedge.delete(f"consensus/{id_}/votes", "hedge")
    other = ConsensusEngine(memory.agent("wyckoff"))
    assert isinstance(other.vote(Vote(id_, "wyckoff", approve=True)), Approved)


def test_rights_are_there_after_a_restart(tmp_path):
    with MemorySystem(tmp_path) as memory:
        memory.grant("hedge", read=["desk"], write=[POOL])
        memory.grant("hedge", read=["news"])
        memory.put("desk", "limit", b"5")
    with MemorySystem(tmp_path) as memory:
        assert memory.rights("hedge") == (["desk", "news"], [POOL])
        assert memory.agent("hedge").get("desk", "limit") == b"5"
        assert memory.verify() == []
        memory.revoke("hedge", read=["desk"])
        assert memory.rights("hedge") == (["news"], [POOL])


def test_a_handle_that_is_closed_leaves_the_memory_open(memory):
    with memory.agent("hedge") as hedge:
        hedge.put(OWN, "limit", b"6")
    assert memory.get(OWN, "limit") == b"6"


@pytest.mark.parametrize("agent", ["", "a/b", "a b", "*"])
def test_an_id_that_is_no_segment_is_refused(memory, agent):
    with pytest.raises(NamespaceError):
        memory.agent(agent)
    with pytest.raises(NamespaceError):
        memory.grant(agent, read=["desk"])


@pytest.mark.parametrize("paths", ["desk", [""], ["a//b"], ["*"], [1]])
def test_paths_that_cannot_be_are_refused(memory, paths):
    with pytest.raises((NamespaceError, TypeError)):
        memory.grant("hedge", read=paths)
    assert memory.rights("hedge") == ([], [])


def test_every_call_of_a_store_is_looked_at():
    checked = {
        *("commit", "get", "peek", "scan", "fetch", "versions", "namespace_options", "locks"),
        *("vector_search", "vector_searches", "select", "derived", "readable"),
        *("publish", "subscribe", "configure_topic"),
        *("stats", "verify", "configured", "backup", "compact", "agent", "rights"),
    }
    harmless = {
        "open",
        "restore",
        "notices",
        "new_id",
        "flush",
        "close",
        "log_recall",
        "recall_log",
    }
    there = {name for name in dir(_native.Store) if not name.startswith("_")}
    assert there == checked | harmless


def test_who_is_rolled_back_leaves_marks_on_what_was_made_of_it(memory):
    def note(id_, writer, *parents):
        return record("desk", id=id_, provenance=Provenance(writer=writer, parents=parents))

    notes = [
        note("rumour", "feed"),
        note("lesson", "hedge", "rumour"),
        note("plan", "wyckoff", "lesson", "fact"),
        note("fact", "desk"),
        note("doubt", "feed", "fact"),
        note("other", "desk", "fact"),
    ]
    memory.remember_many(notes)
    assert memory.forget(Filter(writer="feed"), dry_run=True) == 2
    assert memory.recall(filter=Filter(tags="tainted")).hits == ()
    assert memory.forget(Filter(writer="feed")) == 2
    tainted = memory.recall(filter=Filter(tags="tainted"), top_k=10).hits
    assert {hit.record.id for hit in tainted} == {"lesson", "plan"}
    assert memory.get_record("plan").provenance.parents == ("lesson", "fact")
    assert np.array_equal(memory.get_record("plan").embedding, VECTOR)
    # Before the roll-back nothing was marked.
    first = memory.store.versions("lesson")[0]
    assert "tainted" not in first.tags


def test_a_filter_by_others_than_the_writer_marks_nothing(memory):
    memory.remember(record("desk", id="rumour", tags=["feed"]))
    memory.remember(record("desk", id="lesson", provenance=Provenance(parents=("rumour",))))
    assert memory.forget(Filter(tags="feed")) == 1
    assert memory.get_record("lesson").tags == ()


def test_an_agent_rolls_back_and_marks_what_it_may_change(memory, hedge):
    hedge.remember(record(OWN, id="rumour"))
    for namespace in (OWN, OTHERS):
        parents = Provenance(writer="root", parents=("rumour",))
        memory.remember(record(namespace, id=f"made:{namespace}", provenance=parents))
    assert hedge.forget(Filter(writer="hedge")) == 1
    assert "tainted" in memory.get_record(f"made:{OWN}").tags
    assert "tainted" not in memory.get_record(f"made:{OTHERS}").tags


def test_a_fence_is_that_of_a_lock_of_the_agents_own(memory, hedge):
    memory.configure_namespace(OWN, fenced="desk")
    token = memory.acquire_lock("desk", 0, owner="somebody")
    stolen = [Fence("desk", token.number), Put(OWN, "limit", b"6")]
    with pytest.raises(AccessDeniedError) as told:
        hedge.store.commit(stolen)
    assert "somebody" not in str(told.value)
    memory.grant("hedge", write=["desk"])
    with pytest.raises(AccessDeniedError, match="somebody"):
        hedge.store.commit(stolen)
    memory.release_lock(token)
    hedge.put(OWN, "limit", b"6", fence=hedge.acquire_lock("desk", 0))
    assert memory.get(OWN, "limit") == b"6"


@pytest.fixture
def voting(memory):
    """A proposal that hedge and wyckoff vote on, and what is written for it."""
    for agent in ("hedge", "wyckoff"):
        memory.consensus.register_agent(agent, 1)
    id_ = memory.agent("wyckoff").consensus.submit_proposal(Proposal(proposer="wyckoff", data=1))
    return f"consensus/{id_}", memory.get(f"consensus/{id_}", "tally")


def test_an_agent_cannot_rewrite_a_proposal_or_its_tally(memory, hedge, voting):
    place, tally = voting
    for key in ("proposal", "tally", "other"):
        with pytest.raises(AccessDeniedError):
            hedge.compare_and_set(place, key, memory.get(place, key), b"forged")
    with pytest.raises(AccessDeniedError):
        hedge.store.commit([Expect(place, "tally", tally), Put(place, "tally", b"forged")])
    assert memory.get(place, "tally") == tally


def test_a_vote_has_no_end(memory, hedge, voting):
    place, _ = voting
    ballot = f"{place}/votes"
    vote = [Expect(ballot, "hedge", None), Put(ballot, "hedge", b"", ttl=1)]
    with pytest.raises(AccessDeniedError):
        hedge.store.commit(vote)
    assert memory.keys(ballot)[0] == []


def test_a_vote_of_a_stranger_or_with_too_much_weight_counts_as_it_may(memory, voting):
    place, tally = voting
    ballot = f"{place}/votes"
    heavy = pack({"approve": True, "weight": "1000", "at": 0})
    count = [Expect(place, "tally", tally), Put(place, "tally", Tally(votes=1).packed())]
    for agent, counted in (("stranger", []), ("hedge", count)):
        vote = [Expect(ballot, agent, None), Put(ballot, agent, heavy)]
        memory.agent(agent).store.commit(vote + counted)
    result = memory.consensus.result(place.removeprefix("consensus/"))
    assert (result.approve, result.remaining) == (1, 1)


def test_a_vote_that_cannot_be_read_is_told(memory, voting):
    place, _ = voting
    ballot = f"{place}/votes"
    memory.agent("hedge").store.commit([Expect(ballot, "hedge", None), Put(ballot, "hedge", b"x")])
    with pytest.raises((CorruptionError, SerializationError)):
        memory.consensus.result(place.removeprefix("consensus/"))


def test_an_agent_proposes_for_itself(hedge, voting):
    with pytest.raises(ConsensusError, match="proposes for itself"):
        hedge.consensus.submit_proposal(Proposal(proposer="wyckoff", data=1))


@pytest.mark.parametrize("agent", ["swarm", "shared", "signals", "consensus", "registry"])
def test_an_agent_has_not_the_name_of_what_all_share(memory, agent):
    with pytest.raises(NamespaceError, match="all agents share"):
        memory.agent(agent)
    with pytest.raises(NamespaceError, match="all agents share"):
        memory.grant(agent, read=["desk"])


def test_the_log_of_an_agents_recalls_is_its_own(memory, hedge):
    wyckoff = memory.agent("wyckoff")
    recall = hedge.recall(embedding=VECTOR)
    assert wyckoff.store.recall_log(recall.id) is None
    wyckoff.store.log_recall(recall.id, b"\x80")
    assert hedge.replay(recall.id).hits == memory.replay(recall.id).hits == recall.hits
    assert memory.verify() == []


def test_each_target_reads_a_signal_to_several(memory):
    for agent in ("hedge", "wyckoff", "source"):
        memory.consensus.register_agent(agent, 1)
    signal = Signal(
        signal_type="WHALE",
        source_agent="source",
        target_agents=["hedge", "wyckoff"],
        severity="high",
        confidence=0.5,
    )
    id_ = MultiAgentCoordinator(memory).publish_signal(signal)
    for agent in ("hedge", "wyckoff"):
        own = MultiAgentCoordinator(memory.agent(agent))
        (found,) = own.get_signals_for_agent(agent)
        assert set(found.processing_status) == {agent}
        own.mark_processed(id_, agent)
        assert own.get_signals_for_agent(agent) == ()
    assert len(MultiAgentCoordinator(memory).get(id_).processing_status) == 2


def test_what_waits_to_be_heard_is_taken_back_too(memory, hedge):
    memory.grant("hedge", read=["desk"])
    heard = hedge.subscribe("**")
    for topic in ("desk", "shared", "desk"):
        memory.publish(topic, b"")
    memory.revoke("hedge")
    assert heard.recv(1.0).topic == "shared"
    assert heard.try_recv() is None
    counts = heard.counts
    assert counts.matched == counts.delivered + counts.missed + counts.waiting == 1


def test_a_retention_of_others_neither_breaks_a_recall_nor_is_told(memory, hedge):
    memory.configure_namespace(OTHERS, retention=1)
    memory.clock.advance(10)
    assert hedge.recall(embedding=VECTOR, as_of=START).hits
    with pytest.raises(HorizonError):
        memory.recall(embedding=VECTOR, as_of=START)


def test_what_lies_under_the_id_of_others_is_not_told(memory, hedge):
    for write in (
        lambda: hedge.remember(record(OWN, id=f"of:{OTHERS}")),
        lambda: hedge.remember_many(
            {"namespace": OWN, "kind": "note", "event_time": [START], "id": [f"of:{OTHERS}"]}
        ),
    ):
        with pytest.raises(AccessDeniedError) as told:
            write()
        assert "note" not in str(told.value)


def test_a_record_of_ones_own_is_written_and_settled_in_one_batch(memory, hedge):
    raw = RawRecord(id="both", namespace=OWN, kind="note", event_time=0, known_at=0)
    hedge.store.commit([Write(raw), Settle("both", RawOutcome(1.0))])
    assert memory.get_record("both").outcome.reward == 1.0
    with pytest.raises(RecordNotFoundError):
        hedge.settle("nobody", {"reward": 1.0})
