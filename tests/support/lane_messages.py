"""Consumed records built by hand, for the pure parts of the lanes."""

from confluent_kafka import Message

from ingestion.contracts import headers as h
from ingestion.lanes.buffer import Buffer

NOW_MS = 1_700_000_000_000


def message(
    offset: int,
    token: str | None = "acme",
    key: str = "k",
    *,
    captured: int | None = NOW_MS,
    appended: int = NOW_MS,
    extra: list[tuple[str, bytes]] | None = None,
    partition: int = 0,
    value: bytes = b"{}",
) -> Message:
    """One record of the general topic with our headers in our order; `extra` are appended."""
    headers: list[tuple[str, bytes]] = [(h.TOKEN, token.encode())] if token is not None else []
    headers += [(h.DISTINCT_ID, key.encode()), (h.EVENT_ID, b"e%d" % offset), (h.EVENT, b"click")]
    headers += [(h.CAPTURED_AT, b"%d" % captured)] if captured is not None else []
    headers += [(h.CONTRACT, b"1"), *(extra or [])]
    return Message("p.general", partition, offset, key.encode(), value, headers, None, (2, appended))


def buffer(*messages: Message, partition: int = 0) -> Buffer:
    """A buffer that holds the messages."""
    made = Buffer(partition)
    for one in messages:
        made.add(one)
    return made
