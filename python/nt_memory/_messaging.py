"""The messages of `MemorySystem`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

from nt_memory._handle import Handle
from nt_memory._shown import shown
from nt_memory._values import as_bytes
from nt_memory.clock import micros
from nt_memory.messages import AgentMemoryMessage
from nt_memory.subscription import Subscription

if TYPE_CHECKING:
    from nt_memory.clock import Duration
    from nt_memory.shared_store import Messenger

_MAX_CAPACITY = 1 << 20
_MAX_SEQUENCE = (1 << 64) - 1


class Messaging(Handle):
    """Publish and subscribe: messages on topics, live or kept."""

    def publish(self, topic: str, message: bytes | AgentMemoryMessage) -> int:
        """Give a message to all who listen to a topic; return its sequence.

        It waits for no reader.  On a durable topic the message is on the disk
        on return.  Messages of a topic reach every subscriber in the order of
        their sequences.

        Parameters
        ----------
        topic
            A path of 1 to 32 levels such as ``"agent_1/updates"``, of at most
            512 bytes, without wildcards.
        message
            At most 1 MiB.  An `AgentMemoryMessage` reaches only its recipients,
            each of which is registered or listens; bytes reach everybody.

        Raises
        ------
        ValueError
            The topic is not well formed, or the message too large.
        AgentNotFoundError
            A recipient is not registered and does not listen; nobody got it.
        StorageError
            A durable message could not be written; nobody got it.

        Examples
        --------
        >>> from nt_memory import AgentMemoryMessage, MemorySystem, MessageType
        >>> with MemorySystem(":memory:") as memory:
        ...     hedge = memory.subscribe("swarm/*", agent_id="hedge")
        ...     warning = AgentMemoryMessage(
        ...         sender_agent_id="liquidity",
        ...         recipient_agent_ids=["hedge"],
        ...         message_type=MessageType.WARNING,
        ...         insight="spreads widen",
        ...     )
        ...     _ = memory.publish("swarm/liquidity", warning)
        ...     hedge.recv(timeout=1.0).content.insight
        'spreads widen'
        """
        publish = _messenger(self._store).publish
        if not isinstance(message, AgentMemoryMessage):
            return publish(
                topic, as_bytes("message", message, "give bytes or an AgentMemoryMessage")
            )
        if message.timestamp is None:
            message = dataclasses.replace(message, timestamp=self._clock.now())
        recipients = message.recipient_agent_ids
        listed = None if isinstance(recipients, str) else list(recipients)
        return publish(topic, message.encode(), message.sender_agent_id, listed)

    def subscribe(
        self,
        topic: str,
        *,
        from_seq: int | None = None,
        durable: str | None = None,
        capacity: int = 1024,
        agent_id: str | None = None,
    ) -> Subscription:
        """Listen to topics.

        Parameters
        ----------
        topic
            A topic, or a pattern: ``*`` stands for one level, ``**`` for any
            number of them, also none.
        from_seq
            Begin with the durable messages that have this sequence or a later
            one, then go on live, without a gap or a double.
        durable
            The name of a subscriber that goes on where it was, also after a
            restart or a crash.  It gets durable messages only, first of all
            the oldest that is kept, reads them from the disk and so misses
            none but those that retention has erased.  Each comes at least
            once: it counts as handled when the next one is asked for, at
            `Subscription.acknowledge`, or at `Subscription.close`; which ones
            are is on the disk now and then, and at the last two.  A name has
            one subscription at a time.
        capacity
            Messages that may wait for a slow reader (1 to 1,048,576, rounded up
            to a power of two); the oldest are dropped then, which a
            `LaggedError` tells.
        agent_id
            Who listens.  Messages to named recipients reach only
            subscriptions of these.

        Raises
        ------
        ValueError
            An option is out of its range, or ``from_seq`` and ``durable`` are
            both given.
        CoordinationError
            The name has a subscription already.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     memory.configure_topic("orders/**")
        ...     _ = memory.publish("orders/btc", b"buy")
        ...     with memory.subscribe("orders/*", durable="audit") as audit:
        ...         audit.recv(timeout=1.0).payload
        b'buy'
        """
        native = _messenger(self._store).subscribe(
            topic,
            capacity=_whole("capacity", capacity, 1, _MAX_CAPACITY),
            from_seq=None if from_seq is None else _whole("from_seq", from_seq, 0, _MAX_SEQUENCE),
            durable=durable,
            agent=agent_id,
        )
        return Subscription(native)

    def configure_topic(
        self, pattern: str, *, durable: bool = True, retention: Duration | None = None
    ) -> None:
        """Keep the messages of topics on the disk from then on.

        A topic is durable where any pattern that was set matches it, and its
        messages are kept for the longest of their retentions.

        Parameters
        ----------
        pattern
            Topics, with wildcards as in `subscribe`.
        durable
            False takes back what was set for this pattern; what was kept stays.
        retention
            Erase messages after this time; None keeps them.

        Raises
        ------
        ValueError
            The pattern is not well formed, or the retention not positive.
        """
        if retention is not None and not durable:
            msg = f"retention={shown(retention)} with durable=False: only what is kept can end"
            raise ValueError(msg)
        kept = None if retention is None else micros(retention, "retention")
        _messenger(self._store).configure_topic(pattern, durable, kept)


def _messenger(store: object) -> Messenger:
    # To ask for all methods would take as long as to publish.
    if not hasattr(store, "publish"):
        msg = f"{type(store).__name__} carries no messages"
        raise TypeError(msg)
    return cast("Messenger", store)


def _whole(name: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{name}={shown(value)}: give a whole number"
        raise TypeError(msg)
    if not low <= value <= high:
        msg = f"{name}={shown(value)}: give {low:,} to {high:,}"
        raise ValueError(msg)
    return value
