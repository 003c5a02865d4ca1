"""Committing: a chunk, a position that moved without records, a suspect; always the position with its F, always in a transaction."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from ingestion.config import PipelineConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from ingestion.lanes.account import Account
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.commit import Contents, Standing
from ingestion.lanes.fence import Fence
from ingestion.lanes.hooks import Point
from ingestion.lanes.intake import Intake
from ingestion.lanes.metadata import Suspect
from ingestion.lanes.owned import Owned
from ingestion.lanes.reporting import Meters
from ingestion.lanes.sli import Tally
from ingestion.lanes.tokens import Predictions
from ingestion.lanes.transaction import Outcome, Transactor
from slo.clock import Clock

log = logging.getLogger(__name__)

_IDLE_S: Final = 0.5
_BACK_OFF_S: Final = 5.0


class Rules(Protocol):
    """The worker's rules of the fence that committing rests on."""

    def next_offset(self, partition: int, last: int) -> int:
        """Rule 7."""
        ...

    def check_next(self, offset: int) -> int:
        """Never negative."""
        ...

    def position(self, partition: int) -> int:
        """The consumer's."""
        ...

    def rewind(self) -> None:
        """Rule 3."""
        ...


class Ledger:
    """`leaving`: the partitions go whatever the outcome, so there is nothing to rewind. `at`: tells the hooks."""

    def __init__(
        self,
        lane: Lane,
        pipeline: PipelineConfig,
        rules: Rules,
        intake: Intake,
        transactor: Transactor,
        contents: Contents,
        predictions: Predictions,
        account: Account,
        meters: Meters,
        clock: Clock,
        at: Callable[[Point, Chunk], None],
        fenced: Callable[[], None],
    ) -> None:
        self.leaving = False
        self.not_before = 0.0
        """Monotonic seconds until which nothing is taken or committed: transaction after transaction has failed."""
        self._failures = 0
        self._lane = lane
        self._pipeline = pipeline
        self._rules = rules
        self._intake = intake
        self._transactor = transactor
        self._contents = contents
        self._predictions = predictions
        self._account = account
        self._meters = meters
        self._clock = clock
        self._at = at
        self._fenced = fenced
        self._idle_at = 0.0

    def commit(self, chunk: Chunk, routed: Mapping[bytes, Route]) -> bool:
        """Commit a chunk whose outcomes are all settled; after False everything was rewound and comes again."""
        tally = self._tally(routed)
        standings: dict[int, Standing] = {}
        for share in chunk.shares:
            one = self._intake.owned[share.partition]
            tally.add(share)
            one.buffer.drop(len(share))
            following = self._rules.check_next(self._rules.next_offset(share.partition, share.last))
            if self._lane is Lane.GENERAL:
                tally.gaps(share, one.committed, following)
            standings[share.partition] = standing(one, following)
        if not self._transact(chunk, tally, standings):
            return False
        booked = self._account.book(chunk.shares)
        self._predictions.learn(booked.work)
        self._meters.outcome("handled", booked.handled)
        self._meters.outcome("forwarded", booked.forwarded)
        self._meters.outcome("dead", booked.dead)
        self._meters.chunk_records.observe(len(chunk))
        return True

    def commit_idle(self) -> None:
        """Commit positions that moved without records (rule 8), and the log start of a partition without a commit; at most twice a second."""
        now = self._clock.monotonic()
        if now < max(self._idle_at, self.not_before):
            return
        self._idle_at = now + _IDLE_S
        tally = self._tally({})
        standings = {}
        for p, one in self._intake.owned.items():
            if len(one.buffer):
                continue
            following = max(self._rules.position(p), one.eof, one.committed)
            if following > one.committed or one.must_commit:
                if self._lane is Lane.GENERAL and following > one.committed:
                    tally.gap(int(self._clock.now() * 1000), following - one.committed)
                standings[p] = standing(one, self._rules.check_next(following))
        if standings:
            self._transact(Chunk(0, []), tally, standings)

    def commit_suspects(self, suspects: Mapping[int, Suspect]) -> None:
        """Commit where each partition stands, with its F and its suspect."""
        standings = {}
        for p, suspect in suspects.items():
            one = self._intake.owned[p]
            standings[p] = Standing(one.committed, Fence(dict(one.fence.entries)), suspect)
        self._transact(Chunk(0, []), self._tally({}), standings)

    def _tally(self, routed: Mapping[bytes, Route]) -> Tally:
        return Tally(self._pipeline.name, self._lane, self._pipeline.slo_s, int(self._clock.now() * 1000), routed)

    def _transact(self, chunk: Chunk, tally: Tally, standings: dict[int, Standing]) -> bool:
        start = self._clock.monotonic()
        outcome = self._transactor.run(
            lambda: self._contents.produce(chunk.shares, tally),
            lambda landed: self._contents.offsets(standings, landed),
            self._intake.consumer.consumer_group_metadata,
            lambda point: self._at(point, chunk),
        )
        self._meters.transactions.labels(*self._meters.own, outcome.value).inc()
        if outcome is not Outcome.COMMITTED:
            if outcome is Outcome.FENCED:
                self._fenced()
            self._failures += 1
            if not self.leaving:
                self._rules.rewind()
            # once is nothing, but what fails for a lasting reason must not spin and repeat effects
            if self._failures > 1:
                self.not_before = self._clock.monotonic() + min(_BACK_OFF_S, 0.05 * 2 ** min(self._failures, 10))
            return False
        self._failures = 0
        self._meters.transaction_seconds.observe(self._clock.monotonic() - start)
        for p, now in standings.items():
            one = self._intake.owned[p]
            one.committed, one.fence, one.suspect, one.must_commit = now.next, now.fence, now.suspect, False
        return True


def standing(one: Owned, following: int) -> Standing:
    """What is committed for the partition at position `following`: a copy of F, and the suspect while it lies ahead."""
    suspect = one.suspect if one.suspect is not None and one.suspect.offset >= following else None
    return Standing(following, Fence(dict(one.fence.entries)), suspect)
