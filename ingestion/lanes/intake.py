"""The lane's consumer: group membership, and fetched records into per-partition buffers."""

import logging
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingestion.lanes.buffer import Bound
from ingestion.lanes.owned import Owned
from slo.errors import KafkaRefused

log = logging.getLogger(__name__)

_LEAST: Final = 256
_MEGABYTE: Final = 1_000_000
_DENIED: Final = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "may not join the group; allow READ on it",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "may not read the topic; allow READ and DESCRIBE on it",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "is not authorised on the cluster",
    KafkaError.SASL_AUTHENTICATION_FAILED: "could not authenticate; check kafka.sasl.* in the configuration",
    KafkaError.INVALID_GROUP_ID: "uses a group id that Kafka refuses",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "finds members of another kind in the group; nothing else may use it",
    KafkaError.GROUP_MAX_SIZE_REACHED: "does not fit in the group: group.max.size is reached",
    KafkaError.INVALID_SESSION_TIMEOUT: "asks for a session timeout that the broker refuses; change pipeline.session_timeout_s",
}
"""What waiting does not mend: the worker ends and says so."""


class Intake:
    """Only the Kafka thread calls it. `owned` holds the partitions that are ours now.

    `assigned`, `revoked`, `lost` are called from within `poll`; `assigned` must return the Owned of every partition, positions restored.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        assigned: Callable[[list[int]], dict[int, Owned]],
        revoked: Callable[[list[int]], None],
        lost: Callable[[list[int]], None],
        out_of_range: Callable[[int], None],
    ) -> None:
        self.consumer = consumer
        self.owned: dict[int, Owned] = {}
        self._topic = topic
        self._assigned = assigned
        self._revoked = revoked
        self._lost = lost
        self._out_of_range = out_of_range
        self._generation = 0

    def join(self) -> None:
        """Join the group."""
        self.consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def poll(self, count: int, timeout_s: float) -> int:
        """Fetch up to `count` records into the buffers, waiting `timeout_s` at most for the first; returns how many came."""
        generation = self._generation
        messages = self.consumer.consume(count, timeout_s)
        if generation != self._generation:
            # a rebalance inside the call: these may stem from before it
            for one in self.owned.values():
                self.seek(one)
            return 0
        add = {p: one.buffer.add for p, one in self.owned.items()}
        for message in messages:
            if message.error() is None:
                into = add.get(message.partition())  # type: ignore[arg-type]  # a consumed record has a partition
                if into is not None:
                    into(message)
            else:
                self._event(message)
        return len(messages)

    def waiting(self) -> bool:
        """Is anything buffered?"""
        return any(len(one.buffer) for one in self.owned.values())

    def appetite(self, least: int, chunk_records: int) -> int:
        """Records to fetch at most: what a chunk lacks. Always some, so that no partition hides behind another's backlog."""
        return max(least, chunk_records - sum(len(one.buffer) for one in self.owned.values()))

    def balance(self, buffer_s: float, most: int, megabytes: float) -> None:
        """Pause partitions whose buffer is full, resume those that are down to half.

        A buffer holds `buffer_s` of predicted work, at most `most` records, and its part of `megabytes` for all of them.
        """
        pause, resume = [], []
        share = max(1, int(megabytes * _MEGABYTE / max(1, len(self.owned))))
        for p, one in self.owned.items():
            bound = Bound(max(_LEAST, min(most, int(buffer_s / one.record_s))), share)
            if one.buffer.paused:
                if one.buffer.low(bound):
                    resume.append(p)
            elif one.buffer.full(bound):
                pause.append(p)
        self._turn(pause, resume)

    def _turn(self, pause: list[int], resume: list[int]) -> None:
        if pause:
            self.consumer.pause([TopicPartition(self._topic, p) for p in pause])
        if resume:
            self.consumer.resume([TopicPartition(self._topic, p) for p in resume])
        for p in pause:
            self.owned[p].buffer.paused = True
        for p in resume:
            self.owned[p].buffer.paused = False

    def position(self, partition: int) -> int:
        """librdkafka's position: the next offset to be fetched; -1001 from a seek until the next record."""
        return self.consumer.position([TopicPartition(self._topic, partition)])[0].offset

    def end(self, partition: int) -> int:
        """The log end as far as fetches have told; -1 when not known yet."""
        try:
            found = self.consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
        except KafkaException:
            return -1
        return max(-1, found[1])

    def seek(self, one: Owned) -> None:
        """Fetch the partition from its committed position; whatever was fetched before is forgotten."""
        one.buffer.clear()
        one.eof = -1
        try:
            self.consumer.seek(TopicPartition(self._topic, one.partition, one.committed))
        except KafkaException:
            # not fetching yet, so it cannot be sought: assign anew
            self.consumer.assign([TopicPartition(self._topic, o.partition, o.committed) for o in self.owned.values()])
            for o in self.owned.values():
                o.buffer.clear()
                o.eof = -1
        if one.buffer.paused:
            self._turn([], [one.partition])

    def _event(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        if error is None:
            return
        code = error.code()
        if code in _DENIED or error.fatal():
            why = _DENIED.get(code, "cannot go on")
            raise KafkaRefused(f"the worker of {self._topic} {why}. Kafka says: {error.str()}")
        # an error of the whole consumer comes without a topic, but as of partition 0
        one = self.owned.get(partition) if message.topic() and partition is not None else None
        if one is None:
            log.warning("%s: %s", self._topic, error.str())
        elif code == KafkaError._PARTITION_EOF:  # noqa: SLF001  # its public name
            one.eof = message.offset() or 0
        elif code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            log.error("%s/%s: the position is out of the log's range; was the topic made anew?", self._topic, partition)
            self._out_of_range(one.partition)
        else:
            log.warning("%s/%s: %s", self._topic, partition, error.str())

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._generation += 1
        self.owned = self._assigned([tp.partition for tp in partitions])
        places = [TopicPartition(self._topic, p, one.committed) for p, one in self.owned.items()]
        consumer.assign(places)
        # librdkafka keeps a pause through a rebalance: a partition that came back with an empty buffer would never be fetched
        consumer.resume(places)

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._generation += 1
        self._revoked([tp.partition for tp in partitions])
        self.owned = {}
        consumer.unassign()

    def _on_lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._generation += 1
        self._lost([tp.partition for tp in partitions])
        self.owned = {}
        consumer.unassign()
