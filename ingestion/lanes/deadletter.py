"""The record that is given up, as it goes to the dead letters: everything it had, and why."""

from typing import Final

from confluent_kafka import Message

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.lanes.layout import Headers
from ingestion.lanes.share import Verdict

DETAIL_LIMIT: Final = 500
"""Characters of a dead letter's detail."""


def dead_headers(
    message: Message, headers: Headers | None, lane: Lane, verdict: Verdict, appended_at: int, more: str = ""
) -> Headers:
    """Headers of the dead letter: the record's own, its append time and source in general, the reason (and `more` of it), and where it was given up."""
    place = f"{message.topic()}/{message.partition()}/{message.offset()}".encode()
    own = list(headers or ())
    if not any(name == h.LANE_SOURCE for name, _ in own):
        own += [(h.LANE_SOURCE, place), (h.APPENDED_AT, b"%d" % appended_at)]
    return [
        *own,
        (h.DEAD_REASON, verdict.reason.encode(errors="replace")),
        (h.DEAD_DETAIL, (verdict.detail[: DETAIL_LIMIT - len(more)] + more).encode(errors="replace")),
        (h.DEAD_LANE, lane.encode()),
        (h.DEAD_SOURCE, place),
    ]
