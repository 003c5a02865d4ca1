"""Records that a topic will not take. General may hold records that no side lane takes, however large the lanes' `max.message.bytes`: a foreign producer
compresses, Kafka checks the compressed batch, and we forward it plain.

Such a forward fails its whole transaction, for ever: the partition would stand still behind it. Rule 9 lets any record become a dead letter, which gives up
the order of that record only, so that is what becomes of it when its token is moved. In general it is handled as any other. (Rule 8: a side lane never
forwards, so it never meets one.) A dead letter that the dead-letter topic would not take either goes there without its value, and says so.
"""

import logging
from dataclasses import dataclass
from math import inf
from typing import Final

from confluent_kafka import KafkaException, Message
from confluent_kafka.admin import AdminClient

from ingestion.config import KafkaConfig
from ingestion.contracts.names import SIDE_LANES, PipelineNames
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.deadletter import DETAIL_LIMIT
from ingestion.lanes.layout import Headers
from ingestion.lanes.share import Share, Verdict, condemn
from ingestion.lanes.topics import read_topics
from slo.errors import FairlaneError

log = logging.getLogger(__name__)

_FRAME: Final = 512
"""What a batch of one, a forward's two headers and a dead letter's five add at most, the detail apart."""
_A_HEADER: Final = 8


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that one record of the side lanes (the least of them) and of the dead letters may have, plain."""

    lanes: float = inf
    dead: float = inf


def read_room(kafka: KafkaConfig, names: PipelineNames) -> Room:
    """As the topics are configured now; no limits where they may not be read (then such a record stops its partition, and Kafka's error says why)."""
    topics = [*(names.topic(lane) for lane in SIDE_LANES), names.dead]
    try:
        found = read_topics(AdminClient(kafka.client()), topics)
        room = {name: float(topic.config["max.message.bytes"]) for name, topic in found.items()}
    except (KafkaException, FairlaneError, KeyError, ValueError) as error:
        log.info("the topics' max.message.bytes cannot be read, records of any size are forwarded: %s", error)
        return Room()
    return Room(min((room.get(name, inf) for name in topics[:-1]), default=inf), room.get(names.dead, inf))


def size_of(message: Message, headers: Headers | None) -> int:
    """Bytes of the record as we would send it on, erring high by a few hundred."""
    own = sum(len(name.encode(errors="replace")) + len(value or b"") + _A_HEADER for name, value in headers or ())
    return len(message) + len(message.key() or b"") + own + _FRAME


def bury_oversized(share: Share, room: Room, *, thorough: bool) -> None:
    """Turn forwards that no side lane takes into dead letters. `thorough`: Kafka has refused one for its size, so look at every record's headers too."""
    if not share.codes or room.lanes == inf or not share.forwards():
        return
    if not thorough and 2 * max(map(len, share.messages)) < room.lanes:
        return  # the quick look, because it is taken at every chunk: headers are small as a rule
    for index, code in enumerate(share.codes):
        if code > 0 and (size := size_of(share.messages[index], share.headers[index])) > room.lanes:
            detail = f"the record has {size} bytes uncompressed, the side lanes take {room.lanes:.0f}: its token is moved, so it could not be handled in order"
            condemn(share, index, Verdict(Kind.DEAD, "too-large", detail))


def buried_value(message: Message, headers: Headers | None, room: Room) -> tuple[bytes | None, str]:
    """The dead letter's value, and what to add to its detail: nothing, or that the value had to be left out."""
    size = size_of(message, headers) + 4 * DETAIL_LIMIT  # as UTF-8
    if size <= room.dead:
        return message.value(), ""
    where = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return None, f"; its value of {len(message)} bytes does not fit here, it stays at {where} until that is deleted"
