"""Messages on topics: who gets what, what is refused, and how a reader is told."""

import asyncio
import threading
from datetime import datetime, timedelta, timezone

import pytest

from builders import day
from conftest import open_memory
from nt_memory import (
    AgentMemoryMessage,
    AgentNotFoundError,
    AgentRegistry,
    AsyncMemorySystem,
    ClosedError,
    CoordinationError,
    LaggedError,
    ManualClock,
    MessageType,
    RecvTimeoutError,
    SerializationError,
    SubscriptionCounts,
)


@pytest.fixture
def memory(clock):
    """An engine that keeps nothing; the oracle carries no messages."""
    with open_memory("native", clock) as opened:
        yield opened


def payloads(subscription):
    return [message.payload for message in iter(subscription.try_recv, None)]


def warning(**fields):
    return AgentMemoryMessage(**{"sender_agent_id": "hedge", "message_type": "WARNING", **fields})


@pytest.mark.parametrize(
    ("pattern", "heard"),
    [
        ("agent_1/updates", [b"1"]),
        ("*/updates", [b"1", b"2"]),
        ("agent_1/*", [b"1"]),
        ("agent_1/**", [b"1", b"3"]),
        ("**", [b"1", b"2", b"3", b"4"]),
        ("**/updates", [b"1", b"2", b"4"]),
        ("nobody", []),
    ],
)
def test_a_pattern_matches_levels(memory, pattern, heard):
    listening = memory.subscribe(pattern)
    memory.publish("agent_1/updates", b"1")
    memory.publish("agent_2/updates", b"2")
    memory.publish("agent_1/updates/late", b"3")
    memory.publish("updates", b"4")
    assert payloads(listening) == heard


def test_a_message_has_its_topic_sequence_and_bytes(memory):
    listening = memory.subscribe("*")
    sequence = memory.publish("a", bytearray(b"x"))
    found = listening.recv(timeout=1)
    assert (found.topic, found.sequence, found.payload) == ("a", sequence, b"x")
    assert (found.sender, found.recipients, found.content) == (None, None, None)


def test_sequences_grow(memory):
    memory.configure_topic("kept/*")
    listening = memory.subscribe("**")
    given = [memory.publish(topic, b"") for topic in ["a", "kept/a", "kept/a", "a", "b"]]
    assert given == sorted(set(given))
    assert [listening.recv(0).sequence for _ in given] == given


def test_the_message_of_an_agent_is_read_back(memory):
    AgentRegistry(memory).register("markov")
    listening = memory.subscribe("*", agent_id="wyckoff")
    said = warning(
        recipient_agent_ids=["wyckoff", "markov"],
        memory_id="m1",
        insight="spreads widen",
        data={"spread": [1, 2.5, None]},
        importance=0.25,
        timestamp=datetime(2024, 1, 2, 12, tzinfo=timezone(timedelta(hours=2))),
    )
    memory.publish("a", said)
    found = listening.recv(timeout=1)
    assert found.content == said
    assert found.content.message_type is MessageType.WARNING
    assert found.content.timestamp == datetime(2024, 1, 2, 10, tzinfo=timezone.utc)
    assert found.content.timestamp.tzinfo is timezone.utc
    assert (found.sender, found.recipients) == ("hedge", ("wyckoff", "markov"))


def test_a_message_without_a_time_gets_that_of_the_clock(memory):
    listening = memory.subscribe("a")
    memory.publish("a", warning())
    assert listening.recv(0).content.timestamp == day(10)


@pytest.mark.parametrize(
    ("recipients", "heard"),
    [("all", [1, 1, 1]), (["wyckoff"], [1, 0, 0]), (["wyckoff", "markov"], [1, 1, 0])],
)
def test_only_recipients_get_a_message(memory, recipients, heard):
    listening = [memory.subscribe("a", agent_id=agent) for agent in ["wyckoff", "markov", None]]
    memory.publish("a", warning(recipient_agent_ids=recipients))
    assert [len(payloads(one)) for one in listening] == heard
    assert [one.counts.matched for one in listening] == heard


def test_a_recipient_that_nobody_is_refuses_the_message(memory):
    everybody = memory.subscribe("**")
    memory.configure_topic("kept")
    for topic in ("a", "kept"):
        with pytest.raises(AgentNotFoundError, match='"wykoff" is not registered'):
            memory.publish(topic, warning(recipient_agent_ids=["wykoff"]))
    assert everybody.counts.matched == 0


def test_a_recipient_that_is_registered_need_not_listen(memory):
    AgentRegistry(memory).register("wyckoff")
    memory.configure_topic("kept")
    memory.publish("kept", warning(recipient_agent_ids=["wyckoff"]))
    with memory.subscribe("kept", durable="wyckoff", agent_id="wyckoff") as late:
        assert late.recv(1).content.recipient_agent_ids == ("wyckoff",)


def test_a_slow_reader_is_told_once_what_it_missed_and_goes_on(memory):
    slow = memory.subscribe("a", capacity=3)
    first, *_, before = [memory.publish("a", b"%d" % number) for number in range(7)]
    with pytest.raises(LaggedError) as told:
        slow.recv(0)
    assert (told.value.missed, told.value.first_seq, told.value.last_seq) == (3, first, first + 2)
    assert payloads(slow) == [b"3", b"4", b"5", b"6"]
    assert before == first + 6
    assert slow.counts == SubscriptionCounts(matched=7, delivered=4, missed=3, waiting=0)


def test_an_iteration_raises_a_lag_and_goes_on(memory):
    slow = memory.subscribe("a", capacity=1)
    memory.publish("a", b"1")
    memory.publish("a", b"2")
    with pytest.raises(LaggedError):
        next(slow)
    assert next(slow).payload == b"2"


def test_an_iteration_ends_when_it_is_closed(memory):
    with memory.subscribe("a") as listening:
        memory.publish("a", b"1")
        memory.publish("a", b"2")
        heard = []
        for message in listening:
            heard.append(message.payload)
            if message.payload == b"2":
                listening.close()
    assert heard == [b"1", b"2"]


def test_nothing_within_the_timeout_is_an_error_of_both_kinds(memory):
    listening = memory.subscribe("a/*")
    with pytest.raises(RecvTimeoutError, match=r"no message on 'a/\*' within timeout=0.01") as told:
        listening.recv(timeout=0.01)
    assert isinstance(told.value, TimeoutError)
    assert isinstance(told.value, CoordinationError)
    assert listening.try_recv() is None


def test_a_timeout_counts_the_machines_time(memory):
    assert isinstance(memory.clock, ManualClock)
    with pytest.raises(RecvTimeoutError):
        memory.subscribe("a").recv(timeout=timedelta(milliseconds=20))


@pytest.mark.parametrize("end", ["subscription", "memory"])
def test_a_close_ends_a_wait(memory, end):
    listening = memory.subscribe("a")
    ends = []

    def wait():
        try:
            listening.recv()
        except ClosedError as error:
            ends.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    (listening if end == "subscription" else memory).close()
    waiting.join(10)
    assert len(ends) == 1
    assert listening.closed


def test_calls_after_a_close_are_closed_errors(memory):
    listening = memory.subscribe("a")
    memory.publish("a", b"1")
    listening.close()
    listening.close()
    for call in [listening.recv, listening.try_recv]:
        with pytest.raises(ClosedError):
            call()
    assert list(listening) == []
    assert listening.counts == SubscriptionCounts(matched=1, delivered=0, missed=0, waiting=1)
    memory.close()
    with pytest.raises(ClosedError):
        memory.publish("a", b"1")
    with pytest.raises(ClosedError):
        memory.subscribe("a")


BAD_TOPICS = ["", "/a", "a/", "a//b", "a\x00b", "a" * 513, "/".join("a" * 33), "a\ud800"]


@pytest.mark.parametrize("topic", [*BAD_TOPICS, "*", "a/**", "a*"])
def test_a_bad_topic_is_refused(memory, topic):
    with pytest.raises(ValueError, match=r"topic|surrogates"):
        memory.publish(topic, b"")


@pytest.mark.parametrize("pattern", [*BAD_TOPICS, "a*", "***"])
def test_a_bad_pattern_is_refused(memory, pattern):
    with pytest.raises(ValueError, match=r"pattern|surrogates"):
        memory.subscribe(pattern)
    with pytest.raises(ValueError, match=r"pattern|surrogates"):
        memory.configure_topic(pattern)


@pytest.mark.parametrize(
    ("options", "kind", "named"),
    [
        ({"capacity": 0}, ValueError, "capacity"),
        ({"capacity": -1}, ValueError, "capacity"),
        ({"capacity": (1 << 20) + 1}, ValueError, "capacity"),
        ({"capacity": 1.5}, TypeError, "capacity"),
        ({"from_seq": -1}, ValueError, "from_seq"),
        ({"from_seq": 1 << 64}, ValueError, "from_seq"),
        ({"from_seq": "1"}, TypeError, "from_seq"),
        ({"from_seq": 1, "durable": "audit"}, ValueError, "from_seq and durable"),
        ({"durable": ""}, ValueError, "durable"),
        ({"durable": "a\n"}, ValueError, "durable"),
        ({"durable": "a" * 129}, ValueError, "durable"),
        ({"agent_id": ""}, ValueError, "agent_id"),
    ],
)
def test_a_bad_option_is_refused(memory, options, kind, named):
    with pytest.raises(kind, match=named):
        memory.subscribe("a", **options)


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "soon"])
def test_a_bad_timeout_is_refused(memory, timeout):
    with pytest.raises((ValueError, TypeError), match="timeout"):
        memory.subscribe("a").recv(timeout)


def test_a_message_has_at_most_a_mebibyte(memory):
    memory.publish("a", b"x" * (1 << 20))
    with pytest.raises(ValueError, match="1048577 bytes; keep it to 1 MiB"):
        memory.publish("a", b"x" * ((1 << 20) + 1))
    with pytest.raises(ValueError, match="1 MiB"):
        memory.publish("a", warning(insight="x" * (1 << 20)))


@pytest.mark.parametrize("message", ["text", None, 5, {"a": 1}])
def test_what_is_no_message_is_refused(memory, message):
    with pytest.raises(TypeError, match="message"):
        memory.publish("a", message)


@pytest.mark.parametrize(
    ("fields", "kind", "named"),
    [
        ({"message_type": "GOSSIP"}, ValueError, "GOSSIP.*EXPERIENCE, PATTERN"),
        ({"message_type": None}, ValueError, "message_type"),
        ({"sender_agent_id": ""}, ValueError, "sender_agent_id"),
        ({"sender_agent_id": "all"}, ValueError, "sender_agent_id"),
        ({"sender_agent_id": 5}, TypeError, "sender_agent_id"),
        ({"recipient_agent_ids": "markov"}, ValueError, "recipient_agent_ids"),
        ({"recipient_agent_ids": []}, ValueError, "recipient_agent_ids"),
        ({"recipient_agent_ids": ["a" * 129]}, ValueError, "recipient_agent_ids"),
        ({"recipient_agent_ids": ["all"]}, ValueError, "recipient_agent_ids"),
        ({"recipient_agent_ids": 5}, TypeError, "recipient_agent_ids"),
        ({"importance": 1.1}, ValueError, "importance"),
        ({"importance": float("nan")}, ValueError, "importance"),
        ({"timestamp": datetime(2024, 1, 1)}, ValueError, "timestamp"),  # noqa: DTZ001 (naive)
        ({"timestamp": 5}, TypeError, "timestamp"),
        ({"insight": None}, TypeError, "insight"),
        ({"memory_id": 5}, TypeError, "memory_id"),
        ({"data": {"a": float("inf")}}, SerializationError, "data"),
        ({"data": {"a": object()}}, SerializationError, "data"),
    ],
)
def test_a_bad_field_of_a_message_is_refused(fields, kind, named):
    with pytest.raises(kind, match=named):
        warning(**fields)


def test_other_bytes_are_no_message_of_an_agent():
    for payload in [b"", b"\xc1", b"\x80", b"\x01"]:
        with pytest.raises(SerializationError):
            AgentMemoryMessage.decode(payload)


def test_what_is_durable_is_read_from_a_sequence_on_and_then_live(memory):
    memory.configure_topic("kept/**")
    kept = [memory.publish("kept/a", b"%d" % number) for number in range(5)]
    memory.publish("other", b"lost")
    reader = memory.subscribe("**", from_seq=kept[2])
    memory.publish("other", b"live")
    memory.publish("kept/b", b"5")
    assert payloads(reader) == [b"2", b"3", b"4", b"live", b"5"]


def test_a_topic_is_no_longer_durable_when_its_rule_is_taken_back(memory):
    memory.configure_topic("kept/**")
    memory.publish("kept/a", b"1")
    memory.configure_topic("kept/**", durable=False)
    memory.publish("kept/a", b"2")
    assert payloads(memory.subscribe("**", from_seq=0)) == [b"1"]


def test_messages_end_with_their_retention(memory, clock):
    memory.configure_topic("kept/**", retention=timedelta(days=2))
    memory.publish("kept/a", b"1")
    clock.advance(timedelta(days=1))
    memory.publish("kept/a", b"2")
    assert payloads(memory.subscribe("**", from_seq=0)) == [b"1", b"2"]
    clock.advance(timedelta(days=1))
    assert payloads(memory.subscribe("**", from_seq=0)) == [b"2"]
    assert memory.verify() == []


@pytest.mark.parametrize("options", [{"retention": 0}, {"retention": -1}, {"retention": "day"}])
def test_a_bad_retention_is_refused(memory, options):
    with pytest.raises((ValueError, TypeError), match="retention"):
        memory.configure_topic("a", **options)
    with pytest.raises(ValueError, match="retention"):
        memory.configure_topic("a", durable=False, retention=1)


def test_a_named_subscriber_has_one_subscription_at_a_time(memory):
    with memory.subscribe("a", durable="audit"):
        memory.subscribe("a", durable="other").close()
        with pytest.raises(CoordinationError, match="audit"):
            memory.subscribe("b", durable="audit")
    memory.subscribe("a", durable="audit").close()


def test_a_named_subscriber_gets_what_it_did_not_handle_again(memory):
    memory.configure_topic("a")
    for number in range(4):
        memory.publish("a", b"%d" % number)

    def broken_off():
        with memory.subscribe("a", durable="audit") as audit:
            assert [audit.recv(0).payload, audit.recv(0).payload] == [b"0", b"1"]
            raise KeyError

    with pytest.raises(KeyError):
        broken_off()
    with memory.subscribe("a", durable="audit") as audit:
        assert audit.recv(0).payload == b"1"
    with memory.subscribe("a", durable="audit") as audit:
        assert audit.recv(0).payload == b"2"
        audit.acknowledge()
        assert payloads(audit) == [b"3"]
    with memory.subscribe("a", durable="audit") as audit:
        assert audit.try_recv() is None


def test_only_a_name_acknowledges(memory):
    with pytest.raises(ValueError, match="durable"):
        memory.subscribe("a").acknowledge()


def test_many_topics_are_read_by_name_in_order(memory):
    memory.configure_topic("**")
    given = [memory.publish(f"t/{number % 3}", b"%d" % number) for number in range(300)]
    with memory.subscribe("t/1", durable="one") as one:
        found = list(iter(one.try_recv, None))
    assert [message.sequence for message in found] == given[1::3]


def test_a_coroutine_waits_for_a_message(memory):
    async def use():
        async with AsyncMemorySystem(memory) as opened:
            listening = await opened.subscribe("*", agent_id="wyckoff")
            waiting = asyncio.create_task(listening.recv(timeout=10))
            await asyncio.sleep(0)
            await opened.publish("a", warning(recipient_agent_ids=["wyckoff"], insight="i"))
            found = await waiting
            with pytest.raises(RecvTimeoutError):
                await listening.recv(timeout=0.01)
            assert await listening.try_recv() is None
            return found.content.insight

    assert asyncio.run(use()) == "i"


def test_an_asynchronous_iteration_ends_when_the_memory_is_closed(memory):
    async def use():
        heard, came = [], asyncio.Event()
        opened = AsyncMemorySystem(memory)
        listening = await opened.subscribe("*")

        async def listen():
            async for message in listening:
                heard.append(message.payload)
                came.set()

        task = asyncio.create_task(listen())
        await opened.publish("a", b"1")
        await asyncio.wait_for(came.wait(), 10)
        await opened.close()
        await asyncio.wait_for(task, 10)
        return heard

    assert asyncio.run(use()) == [b"1"]


def test_a_loop_that_cannot_watch_files_looks_now_and_then(memory):
    class Blind(asyncio.SelectorEventLoop):
        def add_reader(self, fd, *arguments):
            if fd != self._ssock.fileno():
                raise NotImplementedError
            return super().add_reader(fd, *arguments)

        def _add_reader(self, fd, *arguments):
            return super()._add_reader(fd, *arguments)

    async def use():
        async with AsyncMemorySystem(memory) as opened:
            listening = await opened.subscribe("*")
            waiting = asyncio.create_task(listening.recv(timeout=10))
            await asyncio.sleep(0)
            await opened.publish("a", b"1")
            return (await waiting).payload

    loop = Blind()
    try:
        assert loop.run_until_complete(use()) == b"1"
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def test_a_named_subscriber_is_read_by_a_coroutine(memory):
    memory.configure_topic("a")

    async def use():
        async with AsyncMemorySystem(memory) as opened:
            for number in range(100):
                await opened.publish("a", b"%d" % number)
            async with await opened.subscribe("a", durable="audit") as audit:
                found = [(await audit.recv(10)).payload for _ in range(100)]
                await audit.acknowledge()
            async with await opened.subscribe("a", durable="audit") as audit:
                assert await audit.try_recv() is None
            return found

    assert asyncio.run(use()) == [b"%d" % number for number in range(100)]


def test_a_subscription_cannot_be_copied(memory):
    import copy

    with pytest.raises(TypeError, match="subscribe where it is needed"):
        copy.copy(memory.subscribe("a"))


def test_the_oracle_carries_no_messages(clock):
    with open_memory("model", clock) as model, pytest.raises(TypeError, match="ModelStore"):
        model.publish("a", b"")
