"""Rules 8 and 9, broken: side workers that read, commit or forward what they must not, and general workers that let a record without a token through."""

from dataclasses import replace
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition

from ingestion.contracts.names import Lane
from ingestion.lanes import clients
from ingestion.lanes.assignment import Restored, Restorer
from ingestion.lanes.candidates import Candidates
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.share import HERE
from ingestion.lanes.worker import LaneWorker


class ReadsUncommitted(LaneWorker):
    """Handles forwards before their transaction is committed, aborted ones included."""

    def _open(self) -> None:
        if self.lane is not Lane.GENERAL:
            clients.Consumer = lambda conf: Consumer({**conf, "isolation.level": "read_uncommitted"})  # type: ignore[misc,assignment]
        super()._open()


class _IdlesWrong(LaneWorker):
    """Commits idle positions in a way of its own."""

    def _open(self) -> None:
        super()._open()
        self._seen_a_record = False
        true = self._ledger.commit_idle
        self._ledger.commit_idle = lambda: self.idle(true)  # type: ignore[method-assign]

    def _take(self) -> Chunk | None:
        chunk = super()._take()
        self._seen_a_record = self._seen_a_record or chunk is not None
        return chunk

    def idle(self, true: Any) -> None:
        """Never."""


class NeverIdle(_IdlesWrong):
    """Commits only what it has handled: no idle position, no log start."""


class CommitsLast(_IdlesWrong):
    """Commits the last record's offset + 1, not its position past the markers."""

    def next_offset(self, partition: int, last: int) -> int:
        """Never further."""
        return last + 1

    def idle(self, true: Any) -> None:
        """The log start only."""
        if any(one.must_commit for one in self._intake.owned.values()):
            for one in self._intake.owned.values():
                one.eof = -1
            true()


class BlindUntilRecord(_IdlesWrong):
    """Knows no position before it has read a record: the partition's end event is not looked at."""

    def idle(self, true: Any) -> None:
        """Only then."""
        if self._seen_a_record:
            true()


class StartsAtEnd(LaneWorker):
    """Without a commit it starts at the log's end."""

    def _open(self) -> None:
        true = Restorer._one

        def one(restorer: Restorer, tp: TopicPartition) -> Restored:
            found = true(restorer, tp)
            if tp.offset < 0:
                return replace(found, position=restorer._consumer.get_watermark_offsets(tp, timeout=2.0)[1])
            return found

        Restorer._one = one  # type: ignore[method-assign]
        super()._open()


class LaneForwards(LaneWorker):
    """A side worker that obeys routes: it forwards tokens that are wanted elsewhere."""

    def _take(self) -> Chunk | None:
        chunk = super()._take()
        for share in chunk.shares if chunk is not None and self.lane is Lane.OVERFLOW else ():
            share.codes = [
                Lane.QUARANTINE.code if self._routes.wanted.get(token) is Lane.QUARANTINE else HERE
                for token in share.tokens
            ]
        return chunk


class TakesTokenless(LaneWorker):
    """Handles a record without a token as if it were somebody's own."""

    def _open(self) -> None:
        true = Candidates._place

        def place(candidates: Candidates, token: bytes) -> int:
            return true(candidates, token) if token else HERE

        Candidates._place = place  # type: ignore[method-assign]
        super()._open()


LANES: Final[dict[str, type[LaneWorker]]] = {
    "reads-uncommitted": ReadsUncommitted,
    "never-idle": NeverIdle,
    "commits-last": CommitsLast,
    "blind-until-record": BlindUntilRecord,
    "starts-at-end": StartsAtEnd,
    "lane-forwards": LaneForwards,
    "takes-tokenless": TakesTokenless,
}
