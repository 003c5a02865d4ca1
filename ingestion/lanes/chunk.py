"""One turn's work: the shares of its partitions, the records that the handler gets, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Invalid, Record, Retry
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.handling import Job
from ingestion.lanes.hooks import Moment
from ingestion.lanes.layout import number
from ingestion.lanes.settle import Failed, NotReached, Settled
from ingestion.lanes.share import Share, Verdict, condemn


@dataclass(slots=True)
class Chunk:
    """`rows`: for each record given to the handler, its share and its index there."""

    turn: int
    shares: list[Share]
    records: list[Record] = field(default_factory=list)
    rows: list[tuple[Share, int]] = field(default_factory=list)
    job: Job | None = None
    settled: bool = False

    def __len__(self) -> int:
        """Records."""
        return sum(map(len, self.shares))

    def moment(self, lane: Lane, slot: str) -> Moment:
        """What a hook is told of it."""
        forwards = sum(share.forwards() for share in self.shares)
        local = len(self.rows) or len(self) - forwards
        return Moment(lane, slot, self.turn, tuple(share.partition for share in self.shares), local, forwards)

    def prepare(self, lane: Lane) -> None:
        """Build the handler's records: local ones, in offset order within each partition. Canaries are nobody's work; what lacks a header is invalid."""
        for share in self.shares:
            for i in share.local():
                record = record_of(share, i, lane)
                if isinstance(record, Verdict):
                    condemn(share, i, record)
                elif record is not None:
                    self.records.append(record)
                    self.rows.append((share, i))

    def apply(self, settled: Sequence[Settled]) -> dict[int, tuple[int, float | None]]:
        """Take in the outcomes, cutting shares at their first Retry, or behind their first dead letter.

        Returns, for partitions that must try again, how many of their records are settled and the wait in seconds that the handler asked for, None for no wait.
        """
        cuts: dict[int, tuple[int, float | None]] = {}
        for (share, i), outcome in zip(self.rows, settled, strict=True):
            if share.costs is None:
                share.costs = {}
            if isinstance(outcome, Done):
                share.costs[i] = outcome.cost or 0.0
            elif isinstance(outcome, Invalid):
                condemn(share, i, Verdict(Kind.INVALID, "invalid", outcome.reason))
            elif isinstance(outcome, Failed):
                condemn(share, i, Verdict(Kind.DEAD, "handler-error", outcome.error))
            elif share.partition not in cuts or i < cuts[share.partition][0]:
                cuts[share.partition] = (i, _wait(outcome))
        for share in self.shares:
            if share.partition in cuts:
                share.cut(cuts[share.partition][0])
        self.shares = [share for share in self.shares if len(share)]
        return cuts


def _wait(outcome: Retry | NotReached) -> float | None:
    if isinstance(outcome, Retry):
        return outcome.after
    return 0.0 if outcome.rest else None


def record_of(share: Share, index: int, lane: Lane) -> Record | Verdict | None:
    """The handler's record; a Verdict when a header is missing or unreadable; None for a canary."""
    message = share.messages[index]
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    found: dict[str, bytes | None] = {}
    for name, value in share.headers[index]:
        found.setdefault(name, value)
    if h.CANARY in found:
        return None
    appended = message.timestamp()[1]
    source = f"{topic}/{partition}/{offset}"
    try:
        if lane is not Lane.GENERAL:
            appended = number(found.get(h.APPENDED_AT)) or appended
            source = (found.get(h.LANE_SOURCE) or source.encode()).decode()
        traceparent = found.get(h.TRACEPARENT)
        return Record(
            lane,
            topic,
            partition,
            offset,
            share.tokens[index].decode(),
            (found.get(h.DISTINCT_ID) or message.key() or b"").decode(),
            (found.get(h.EVENT_ID) or source.encode()).decode(),
            (found.get(h.EVENT) or b"").decode(),
            number(found.get(h.CAPTURED_AT)) or appended,
            appended,
            source,
            message.key(),
            message.value() or b"",
            traceparent.decode() if traceparent else None,
        )
    except UnicodeDecodeError as error:
        return Verdict(Kind.INVALID, "unreadable-header", f"a header is not UTF-8: {error.reason}")
