"""Rules 2 to 5 of the fence, broken: what is believed drained, what F says, where it comes from. A mutant has its process to itself and may change modules."""

from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException, TopicPartition

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes import assignment, commit
from ingestion.lanes.clients import reader
from ingestion.lanes.fence import WILDCARD, Decision, Fence
from ingestion.lanes.hold import Holds, Wait
from ingestion.lanes.metadata import Suspect, encode
from ingestion.lanes.worker import LaneWorker

_LIMIT_S: Final = 2.0


class NoDrain(LaneWorker):
    """Lets a token come back while its records still wait in the lane that it left."""

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """Never ask."""
        return True


class OffByOne(LaneWorker):
    """Takes committed >= L for drained."""

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """One too early."""
        return self._taker.elsewhere.get(lane, {}).get(partition, -1) >= last


class _Asks(LaneWorker):
    """Looks at a lane's log rather than at its group's commits."""

    isolation = "read_uncommitted"

    def _open(self) -> None:
        super()._open()
        names = self._pipeline.names
        self._logs = {
            lane: reader(self._kafka, names.group(lane), **{"isolation.level": self.isolation}) for lane in SIDE_LANES
        }

    def end_of(self, lane: Lane, partition: int) -> int:
        """The log's end; far away when it cannot be had."""
        place = TopicPartition(self._pipeline.names.topic(lane), partition)
        try:
            return self._logs[lane].get_watermark_offsets(place, _LIMIT_S)[1]
        except KafkaException:
            return -1


class ByWatermark(_Asks):
    """Takes a lane whose high watermark has passed L for drained."""

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """The watermark is passed as soon as the forward is written."""
        return self.end_of(lane, partition) > last


class ByLag(_Asks):
    """Takes a lane without lag (last stable offset less committed) for drained."""

    isolation = "read_committed"

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """An open transaction of somebody else holds the last stable offset back."""
        committed = self._taker.elsewhere.get(lane, {}).get(partition, -1)
        return committed >= 0 and self.end_of(lane, partition) - committed == 0


class TellsPosition(LaneWorker):
    """A true side worker that also writes down its position (where it has fetched to), for `ByPosition`."""

    def _tick(self) -> None:
        super()._tick()
        for p in self._intake.owned:
            if self._at_file is not None and (at := self.position(p)) >= 0:
                (self._at_file / f"position-{self.lane}-{p}").write_text(str(at), encoding="utf-8")

    @property
    def _at_file(self) -> Path | None:
        found = getattr(self._handler, "directory", None)
        return found if isinstance(found, Path) else None


class ByPosition(LaneWorker):
    """Takes the lane worker's position, not its group's commit."""

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """Fetched is not handled."""
        file = getattr(self._handler, "directory", Path()) / f"position-{lane}-{partition}"
        return file.exists() and int(file.read_text(encoding="utf-8") or -1) > last


class OneWay(LaneWorker):
    """Checks a token's return to general, but not its way from one lane to another."""

    def _open(self) -> None:
        def decide(fence: Fence, token: int, wanted: Lane, reserved: int = 0) -> Decision:
            return Decision(wanted) if wanted is not Lane.GENERAL else _decide(fence, token, wanted, reserved)

        Fence.decide = decide  # type: ignore[method-assign]
        super()._open()


class LatestOnly(LaneWorker):
    """Of the lanes in which a token may be in flight it looks only at the one with the largest L."""

    def _open(self) -> None:
        def in_flight(fence: Fence, token: int) -> tuple[set[Lane], bool]:
            own = {key: last for key, last in fence.entries.items() if key[0] in {token, WILDCARD}}
            if not own:
                return set(), False
            top = max(own, key=lambda key: own[key])
            return {top[1]}, top[0] == WILDCARD

        Fence.in_flight = in_flight  # type: ignore[method-assign]
        super()._open()


class WildTimeout(LaneWorker):
    """A hold for the wildcard's sake times out like any other, into a lane that F names."""

    def _open(self) -> None:
        def decide(fence: Fence, token: int, wanted: Lane, reserved: int = 0) -> Decision:
            found = _decide(fence, token, wanted, reserved)
            return Decision(None, Lane.OVERFLOW) if found.lane is None and found.fallback is None else found

        Fence.decide = decide  # type: ignore[method-assign]
        super()._open()


class NoHold(LaneWorker):
    """Forwards a token that may not come back yet, instead of holding it."""

    def _open(self) -> None:
        def ask(holds: Holds, key: tuple[int, int], now: float, *, may_forward: bool) -> Wait:
            return Wait.FORWARD if may_forward else Wait.HOLD

        Holds.ask = ask  # type: ignore[method-assign]
        super()._open()


class MemoryOnly(LaneWorker):
    """Keeps F in memory; what it commits says that nothing is in flight."""

    def _open(self) -> None:
        commit.encode_metadata = lambda fence, suspect=None: encode(Fence(), suspect)
        super()._open()


class DropsMetadata(LaneWorker):
    """A commit without forwards carries no F."""

    def _open(self) -> None:
        true = commit.Contents.offsets

        def offsets(contents: commit.Contents, standings: Any, landed: Any) -> list[TopicPartition]:
            found = true(contents, standings, landed)
            return found if landed else [TopicPartition(a.topic, a.partition, a.offset, encode(Fence())) for a in found]

        commit.Contents.offsets = offsets  # type: ignore[method-assign]
        super()._open()


class TrustsLost(LaneWorker):
    """Takes lost metadata, or no commit at all, for "nothing is in flight"."""

    def _open(self) -> None:
        assignment.unknown = lambda high_watermarks: Fence()
        super()._open()


class WildStable(_Asks):
    """When it does not know what is in flight, it looks at the lanes' last stable offsets, not at their high watermarks."""

    isolation = "read_committed"

    def _open(self) -> None:
        super()._open()
        neighbours = self._parts.neighbours
        assert neighbours is not None

        def high_watermarks(partition: int, timeout_s: float = _LIMIT_S) -> dict[Lane, int]:
            return {lane: self.end_of(lane, partition) for lane in SIDE_LANES}

        neighbours.high_watermarks = high_watermarks  # type: ignore[method-assign]


class SuspectDropsF(LaneWorker):
    """The commit that names a suspect carries no F."""

    def _open(self) -> None:
        super()._open()
        true = self._ledger.commit_suspects

        def commit_suspects(suspects: dict[int, Suspect]) -> None:
            for p in suspects:
                self._intake.owned[p].fence.entries.clear()
            true(suspects)

        self._ledger.commit_suspects = commit_suspects  # type: ignore[method-assign,assignment]


class FirstForward(LaneWorker):
    """L is the offset of a token's first forward of the chunk, not of its last."""

    def _open(self) -> None:
        produce, offsets = commit.Contents.produce, commit.Contents.offsets
        counts: dict[tuple[int, int], int] = {}

        def remember(contents: commit.Contents, shares: Any, tally: Any) -> None:
            counts.clear()
            for share in shares:
                for token, code in zip(share.tokens, share.codes or (), strict=False):
                    key = (share.partition, self._names.of(token)[1])
                    counts[key] = counts.get(key, 0) + (code > 0)
            produce(contents, shares, tally)

        def first(contents: commit.Contents, standings: Any, landed: Any) -> list[TopicPartition]:
            early = {key: max(0, last - counts[key[:2]] + 1) for key, last in landed.items()}
            return offsets(contents, standings, early)

        commit.Contents.produce = remember  # type: ignore[method-assign]
        commit.Contents.offsets = first  # type: ignore[method-assign]
        super()._open()


_decide: Final = Fence.decide

FENCE: Final[dict[str, type[LaneWorker]]] = {
    "no-drain": NoDrain,
    "off-by-one": OffByOne,
    "by-watermark": ByWatermark,
    "by-lag": ByLag,
    "tells-position": TellsPosition,
    "by-position": ByPosition,
    "one-way": OneWay,
    "latest-only": LatestOnly,
    "wild-timeout": WildTimeout,
    "no-hold": NoHold,
    "memory-only": MemoryOnly,
    "drops-metadata": DropsMetadata,
    "trusts-lost": TrustsLost,
    "wild-stable": WildStable,
    "suspect-drops-f": SuspectDropsF,
    "first-forward": FirstForward,
}
