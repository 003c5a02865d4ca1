"""Taking a chunk: how far the lanes named in F are, what is wanted, who is suspect, and how much of each partition."""

from collections.abc import Callable, Mapping, Sequence

from ingestion.config import PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.candidates import Candidates
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.hold import Holds
from ingestion.lanes.layout import token_of
from ingestion.lanes.metadata import CAREFUL
from ingestion.lanes.neighbours import Neighbours
from ingestion.lanes.owned import Owned
from ingestion.lanes.share import Verdict
from ingestion.lanes.tokens import FORWARD_S, Names, Predictions
from ingestion.lanes.turn import choose

_HUNG = Verdict(Kind.DEAD, "hung", "the handler hung on this record again and again")

IsDrained = Callable[[Lane, int, int], bool]
"""(lane, partition, L) -> rule 4's check."""


class Taker:
    """Chooses and decides the records of a turn. `counting`: there is no handler, records are only counted."""

    def __init__(
        self,
        lane: Lane,
        pipeline: PipelineConfig,
        names: Names,
        holds: Holds,
        neighbours: Neighbours | None,
        *,
        counting: bool,
    ) -> None:
        self.predictions = Predictions()
        self.elsewhere: dict[Lane, dict[int, int]] = {}
        """Lane -> partition -> committed offset, as read for the last chunk."""
        self.refused = False
        """A move of the last chunk was refused because F is full."""
        self._lane = lane
        self._pipeline = pipeline
        self._names = names
        self._holds = holds
        self._neighbours = neighbours
        self._here_s = FORWARD_S if counting else None
        self._credit: dict[int, float] = {}
        self._turn = 0

    def take(
        self, ready: Sequence[Owned], wanted: Mapping[bytes, Lane], drained: IsDrained, now: float
    ) -> Chunk | None:
        """The next chunk of these partitions, decided; None when all of them are held."""
        self._drain(ready, drained)
        candidates = {one.partition: self._candidates(one, wanted, now) for one in ready}
        budget = self._pipeline.chunk_s * self._pipeline.concurrency
        takes = choose(candidates, budget, self._pipeline.chunk_records, self._credit)
        self.refused = any(c.refused for c in candidates.values())
        for one in ready:
            if one.suspect is not None and one.partition in takes:
                takes = alone(takes, one, candidates[one.partition])
        if not takes:
            return None
        self._turn += 1
        for one in ready:
            count = takes.get(one.partition)
            if count:
                one.record_s += 0.3 * (candidates[one.partition].prefix[count - 1] / count - one.record_s)
        return Chunk(self._turn, [candidates[p].take(count) for p, count in takes.items()])

    def forget(self, partition: int) -> None:
        """The partition is not ours any more."""
        self._credit.pop(partition, None)
        self._holds.forget(partition)

    def _drain(self, ready: Sequence[Owned], drained: IsDrained) -> None:
        asked: dict[Lane, list[int]] = {}
        for one in ready:
            for lane in one.fence.lanes():
                asked.setdefault(lane, []).append(one.partition)
        if self._neighbours is None or not asked:
            return
        self.elsewhere = {lane: self._neighbours.committed(lane, partitions) for lane, partitions in asked.items()}
        for one in ready:
            if len(one.fence):
                partition = one.partition
                one.fence.drain(lambda lane, last, p=partition: drained(lane, p, last))  # type: ignore[misc]

    def _candidates(self, one: Owned, wanted: Mapping[bytes, Lane], now: float) -> Candidates:
        doomed, suspect = None, one.suspect
        if suspect is not None and suspect.attempts != CAREFUL:
            if suspect.attempts >= (2 if self._lane is Lane.GENERAL else 1):
                doomed = (suspect.offset, _HUNG)
            else:
                # second attempt: its whole token is wanted in quarantine, under the fence
                message = one.buffer.message_at(suspect.offset)
                token = token_of(headers.of(message)) if message is not None else b""
                wanted = {**wanted, token: Lane.QUARANTINE} if token else wanted
        return Candidates(
            one.buffer, one.fence, wanted, self._holds, self._names, self.predictions, now, doomed, self._here_s,
            captured=self._lane is Lane.GENERAL, block=max(64, min(1_024, int(self._pipeline.chunk_s / one.record_s))),
        )  # fmt: skip


def alone(takes: dict[int, int], one: Owned, candidates: Candidates) -> dict[int, int]:
    """A suspect is handled by itself, so that if it hangs again nobody else is blamed; what may hang is tried record by record."""
    suspect, count = one.suspect, takes[one.partition]
    assert suspect is not None
    before = candidates.before(suspect.offset, count)
    if suspect.attempts == CAREFUL or before == 0:
        return {one.partition: 1}
    return {**takes, one.partition: before}
