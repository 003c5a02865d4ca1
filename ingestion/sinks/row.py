"""What a sink stores of an event. Pure."""

from dataclasses import dataclass
from typing import Final

import orjson

from ingestion.contracts.records import Invalid, Record

_INT64: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One visible event. Times are milliseconds since the Unix epoch; `source_*` name its record in the general topic, whichever lane handled it."""

    event_id: str
    token: str
    distinct_id: str
    event: str
    lane: str
    source_topic: str
    source_partition: int
    source_offset: int
    captured_at: int
    appended_at: int
    visible_at: int
    """Just before the sink's commit."""
    properties: str
    """A JSON object."""


def row_of(record: Record, visible_at: int) -> Row | Invalid:
    """The row that `record` becomes, or why it never can be one."""
    texts = (record.event_id, record.token, record.distinct_id, record.event)
    if not record.event_id:
        return Invalid("it has no event_id")
    # SQL text cannot hold NUL; orjson.loads has refused lone surrogates, headers come from UTF-8
    if any("\0" in text for text in texts):
        return Invalid("a header holds a NUL character")
    if not (abs(record.captured_at) <= _INT64 and abs(record.appended_at) <= _INT64):
        return Invalid("a time does not fit in 64 bits")
    topic, _, place = record.source.partition("/")
    partition, _, offset = place.partition("/")
    if not (partition.isdecimal() and offset.isdecimal()):
        return Invalid("its source is not topic/partition/offset")
    properties = _properties(record.value)
    if isinstance(properties, Invalid):
        return properties
    return Row(
        event_id=record.event_id,
        token=record.token,
        distinct_id=record.distinct_id,
        event=record.event,
        lane=record.lane,
        source_topic=topic,
        source_partition=int(partition),
        source_offset=int(offset),
        captured_at=record.captured_at,
        appended_at=record.appended_at,
        visible_at=visible_at,
        properties=properties,
    )


def _properties(value: bytes) -> str | Invalid:
    """The payload's `properties` as compact JSON ("{}" when it has none)."""
    try:
        payload = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Invalid("the payload is not JSON")
    if not isinstance(payload, dict):
        return Invalid("the payload is not a JSON object")
    properties = payload.get("properties")
    if properties is None:
        return "{}"
    if not isinstance(properties, dict):
        return Invalid("the payload's properties are not a JSON object")
    try:
        return orjson.dumps(properties).decode()
    except TypeError:
        return Invalid("the payload's properties are nested too deeply")
