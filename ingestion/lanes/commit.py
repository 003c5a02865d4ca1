"""What one transaction holds: forwards, dead letters, the chunk's counts, and the offsets with F."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import TopicPartition

from ingestion.config import PipelineConfig
from ingestion.contracts import headers as h
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import encode
from ingestion.lanes.candidates import lane_of
from ingestion.lanes.deadletter import dead_headers
from ingestion.lanes.fence import Fence
from ingestion.lanes.layout import Headers, number
from ingestion.lanes.metadata import Suspect
from ingestion.lanes.metadata import encode as encode_metadata
from ingestion.lanes.oversize import Room, buried_value
from ingestion.lanes.share import Share
from ingestion.lanes.sli import Tally
from ingestion.lanes.tokens import Names
from ingestion.lanes.transaction import Landed, Transactor

_NAMES: Final = [h.TOKEN, h.DISTINCT_ID, h.EVENT_ID, h.EVENT, h.CAPTURED_AT, h.CONTRACT]
_OURS: Final = len(_NAMES)
"""Headers of a record that nobody has forwarded or replayed yet. Others may bring a `lane-source` of their own, which would be believed."""


@dataclass(frozen=True, slots=True)
class Partitions:
    """How many partitions the topics have that we choose a partition of."""

    dead: int
    telemetry: int
    telemetry_of_pipeline: int


@dataclass(slots=True)
class Standing:
    """One partition's next commit: the position, F before this chunk's forwards, and the suspect if it still lies ahead."""

    next: int
    fence: Fence
    suspect: Suspect | None = None


class Contents:
    """Produces a chunk's records into the open transaction, and afterwards says which offsets and F go with them."""

    def __init__(
        self,
        pipeline: PipelineConfig,
        lane: Lane,
        partitions: Partitions,
        names: Names,
        transactor: Transactor,
        room: Room,
    ) -> None:
        self._pipeline = pipeline
        self._lane = lane
        self._topic = pipeline.names.topic(lane)
        self._partitions = partitions
        self._names = names
        self._transactor = transactor
        self._room = room

    def produce(self, shares: list[Share], tally: Tally) -> None:
        """Forwards and dead letters in offset order, then the counts."""
        for share in shares:
            if share.codes is not None:
                self._forward(share)
                for index in sorted(share.verdicts):
                    self._bury(share, index)
        message = tally.message()
        if message.counts or message.skewed:
            key, value = self._pipeline.name.encode(), encode(message)
            self._transactor.produce(TELEMETRY_TOPIC, value, key, self._partitions.telemetry_of_pipeline, None, None)

    def offsets(self, standings: dict[int, Standing], landed: Landed) -> list[TopicPartition]:
        """Every partition's next position with its F; adds what has landed to the standings' fences."""
        for (partition, token, lane), offset in landed.items():
            standings[partition].fence.forwarded(token, lane, offset)
        return [
            TopicPartition(self._topic, p, s.next, encode_metadata(s.fence, s.suspect)) for p, s in standings.items()
        ]

    def _forward(self, share: Share) -> None:
        codes = share.codes or []
        moving = [i for i, code in enumerate(codes) if code > 0]
        if not moving:
            return
        partition, messages, headers, tokens = share.partition, share.messages, share.headers, share.tokens
        last = {tokens[i]: i for i in moving}
        reports: dict[int, Callable[..., None]] = {
            i: self._transactor.report(partition, self._names.of(token)[1], lane_of(codes[i]))
            for token, i in last.items()
        }
        topics = {code: self._pipeline.names.topic(lane_of(code)) for code in set(codes) if code > 0}
        produce, report, place = self._transactor.raw, reports.get, f"{self._topic}/{partition}/"
        for i in moving:
            message, own = messages[i], headers[i]
            if len(own) != _OURS or [name for name, _ in own] != _NAMES:
                own = [pair for pair in own if pair[0] not in {h.LANE_SOURCE, h.APPENDED_AT}]
            more: Any = [
                *own,
                (h.LANE_SOURCE, f"{place}{message.offset()}"),
                (h.APPENDED_AT, str(message.timestamp()[1])),
            ]
            try:
                produce(topics[codes[i]], message.value(), message.key(), partition, report(i), None, 0, more)
            except BufferError:
                self._transactor.produce(topics[codes[i]], message.value(), message.key(), partition, report(i), more)

    def _bury(self, share: Share, index: int) -> None:
        message: Any = share.messages[index]
        headers: Headers | None = share.headers[index]
        appended = message.timestamp()[1]
        if self._lane is not Lane.GENERAL:
            appended = number(dict(headers or ()).get(h.APPENDED_AT)) or appended
        value, left_out = buried_value(message, headers, self._room)
        more = dead_headers(message, headers, self._lane, share.verdicts[index], appended, left_out)
        target = share.partition % self._partitions.dead
        self._transactor.produce(self._pipeline.names.dead, value, message.key(), target, None, more)
