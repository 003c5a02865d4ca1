"""Taking a chunk: how far the lanes named in F are, what is wanted, who is suspect, and how much of each partition."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ingestion.config import PipelineConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.candidates import Candidates
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.hold import Holds
from ingestion.lanes.metadata import CAREFUL
from ingestion.lanes.neighbours import Neighbours
from ingestion.lanes.oversize import Room, bury_oversized
from ingestion.lanes.owned import Owned
from ingestion.lanes.share import Verdict
from ingestion.lanes.suspects import doomed, sent_away
from ingestion.lanes.tokens import FORWARD_S, Names, Predictions
from ingestion.lanes.turn import choose

CAREFULLY: Final = 50
"""Records of a partition that a turn tries one by one: each is a call of the handler for itself."""
_HUNG: Final = Verdict(Kind.DEAD, "hung", "the handler hung on this record again and again")

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
        room: Room,
    ) -> None:
        self.predictions = Predictions()
        self.elsewhere: dict[Lane, dict[int, int]] = {}
        """Lane -> partition -> committed offset, as read for the last chunk."""
        self.refused = False
        """A move of the last chunk was refused because F is full."""
        self.thorough = False
        """Kafka has refused a record for its size: look for such closely."""
        self._room = room
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
        if any(one.suspect is not None for one in ready):
            wanted = {**wanted, **sent_away(ready, self._lane)}
        candidates = {one.partition: self._candidates(one, wanted, now) for one in ready}
        budget = self._pipeline.chunk_s * self._pipeline.concurrency
        takes = choose(candidates, budget, self._pipeline.chunk_records, self._credit)
        self.refused = any(c.refused for c in candidates.values())
        for one in ready:
            if one.suspect is not None and one.partition in takes:
                takes = cut(takes, one, candidates[one.partition])
        if not takes:
            return None
        self._turn += 1
        for one in ready:
            count = takes.get(one.partition)
            if count:
                one.learn(candidates[one.partition].prefix[count - 1] / count)
        shares = [candidates[p].take(count) for p, count in takes.items()]
        for share in shares:
            bury_oversized(share, self._room, thorough=self.thorough)
        return Chunk(self._turn, shares)

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
        fate = (one.suspect.offset, _HUNG) if one.suspect is not None and doomed(one.suspect, self._lane) else None
        return Candidates(
            one.buffer, one.fence, wanted, self._holds, self._names, self.predictions, now, fate, self._here_s,
            captured=self._lane is Lane.GENERAL, block=max(64, min(1_024, int(self._pipeline.chunk_s / one.record_s))),
        )  # fmt: skip


def cut(takes: dict[int, int], one: Owned, candidates: Candidates) -> dict[int, int]:
    """The takes beside a suspect of this partition. It is handled by itself, so that if it hangs again nobody else is blamed or done twice; of what is to be
    tried record by record, a few at a time, beside whatever the others do.
    """
    suspect, count = one.suspect, takes[one.partition]
    assert suspect is not None
    if suspect.attempts == CAREFUL:
        return {**takes, one.partition: min(count, CAREFULLY)}
    before = candidates.before(suspect.offset, count)
    return {one.partition: 1} if before == 0 else {**takes, one.partition: before}
