"""Rules 4 and 5, broken in the turn: when it is decided, and who passes behind a held record."""

from typing import Any, Final

from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.lanes import taking
from ingestion.lanes.candidates import Candidates
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.layout import token_of
from ingestion.lanes.metadata import CAREFUL
from ingestion.lanes.owned import Owned
from ingestion.lanes.share import HERE, HOLD, Share
from ingestion.lanes.worker import LaneWorker

_SKIPPED: Final = -3
"""A placement that the true worker does not know: neither handled nor forwarded nor given up."""


class PerRecord(LaneWorker):
    """Decides record by record: a token whose route changes inside a chunk is forwarded and handled here in one chunk."""

    def _take(self) -> Chunk | None:
        chunk = super()._take()
        for share in chunk.shares if chunk is not None and self.lane is Lane.GENERAL else ():
            moving = [i for i, code in enumerate(share.codes or ()) if code > 0]
            fence = self._intake.owned[share.partition].fence
            names = {self._names.of(share.tokens[i])[1] for i in moving}
            if (
                share.codes is not None
                and moving
                and not any(name == token for token, _ in fence.entries for name in names)
            ):
                for i in moving[len(moving) // 2 :]:
                    share.codes[i] = HERE
        return chunk


class DecidesEarly(LaneWorker):
    """Decides when a record is fetched, not when it is taken."""

    def _open(self) -> None:
        super()._open()
        self._early: dict[tuple[int, int], int] = {}
        self._number = 0

    def _once(self) -> None:
        super()._once()
        self._decide_new()

    def _while_handling(self, chunk: Chunk) -> None:
        super()._while_handling(chunk)
        self._routes.poll()
        self._decide_new()

    def _decide_new(self) -> None:
        if self.lane is not Lane.GENERAL:
            return
        self._taker._drain(list(self._intake.owned.values()), self.drained)
        for p, one in self._intake.owned.items():
            for message in one.buffer.peek(0, len(one.buffer)):
                key = (p, message.offset() or 0)
                if key not in self._early:
                    token = token_of(headers.of(message))
                    wanted = self._routes.wanted.get(token, Lane.GENERAL)
                    found = one.fence.decide(self._names.of(token)[1], wanted)
                    self._early[key] = HOLD if found.lane is None else found.lane.code

    def _take(self) -> Chunk | None:
        if self.lane is not Lane.GENERAL:
            return super()._take()
        self._decide_new()
        shares = []
        for p, one in self._intake.owned.items():
            messages = one.buffer.peek(0, 40)
            codes = [self._early.pop((p, m.offset() or 0)) for m in messages]
            if HOLD in codes:
                del messages[codes.index(HOLD) :], codes[codes.index(HOLD) :]
            if messages:
                found: Any = [headers.of(m) for m in messages]
                shares.append(Share(p, messages, found, [token_of(h) for h in found], codes))
        self._number += 1
        return Chunk(self._number, shares) if shares else None


class _Passes(LaneWorker):
    """Lets somebody pass behind a held record. The position stays at the held record unless `past`."""

    past = False

    def _open(self) -> None:
        true = Candidates._decide

        def decide(candidates: Candidates, token: bytes, name: int) -> int:
            code = true(candidates, token, name)
            return _SKIPPED if code == HOLD else code

        Candidates._decide = decide  # type: ignore[method-assign]
        super()._open()
        self._stays: dict[int, int] = {}

    def passes(self, first: tuple[bytes, bytes | None], other: tuple[bytes, bytes | None]) -> bool:
        """May this record of a held token pass the first held one? Each is (token, key)."""
        return False

    def _take(self) -> Chunk | None:
        chunk = super()._take()
        self._stays = {}
        for share in chunk.shares if chunk is not None else ():
            codes = share.codes or []
            if _SKIPPED not in codes:
                continue
            first = codes.index(_SKIPPED)
            if not self.past:
                self._stays[share.partition] = share.messages[first].offset() or 0
            head = (share.tokens[first], share.messages[first].key())
            for i in range(first + 1, len(codes)):
                if codes[i] == _SKIPPED and self.passes(head, (share.tokens[i], share.messages[i].key())):
                    codes[i] = HERE
        return chunk

    def next_offset(self, partition: int, last: int) -> int:
        """Where the held record stands."""
        return self._stays.get(partition, super().next_offset(partition, last))

    def _finish(self, wait_s: float) -> bool:
        done = super()._finish(wait_s)
        for p in self._stays if done else ():
            if p in self._intake.owned:
                self._intake.seek(self._intake.owned[p])
        return done


class HoldsOneRecord(_Passes):
    """Holds a token's first record, and lets the later ones pass."""

    def passes(self, first: tuple[bytes, bytes | None], other: tuple[bytes, bytes | None]) -> bool:
        """Those of the same token."""
        return first[0] == other[0]


class HoldsOneKey(_Passes):
    """Holds a key rather than the token."""

    def passes(self, first: tuple[bytes, bytes | None], other: tuple[bytes, bytes | None]) -> bool:
        """The token's other keys."""
        return first[0] == other[0] and first[1] != other[1]


class CommitsPastHeld(_Passes):
    """Lets other tokens pass a held record, and commits past it."""

    past = True


class ForwardsPastHeld(_Passes):
    """Lets other tokens pass a held record, and forwards those that are moved."""


class SuspectAlone(LaneWorker):
    """The second time, only the suspect record goes to quarantine; its token's other records are handled here in the same chunk."""

    def _open(self) -> None:
        true = taking.cut

        def cut(takes: dict[int, int], one: Owned, candidates: Candidates) -> dict[int, int]:
            careful = one.suspect is not None and one.suspect.attempts == CAREFUL
            return true(takes, one, candidates) if careful else takes

        taking.cut = cut
        taking.sent_away = lambda ready, lane: {}
        super()._open()

    def _take(self) -> Chunk | None:
        chunk = super()._take()
        for share in chunk.shares if chunk is not None and self.lane is Lane.GENERAL else ():
            suspect = self._intake.owned[share.partition].suspect
            at = [m.offset() for m in share.messages]
            if suspect is None or suspect.attempts == CAREFUL or suspect.offset not in at:
                continue
            share.codes = share.codes or [HERE] * len(share)
            share.codes[at.index(suspect.offset)] = Lane.QUARANTINE.code
        return chunk


TURN: Final[dict[str, type[LaneWorker]]] = {
    "per-record": PerRecord,
    "decides-early": DecidesEarly,
    "holds-one-record": HoldsOneRecord,
    "holds-one-key": HoldsOneKey,
    "commits-past-held": CommitsPastHeld,
    "forwards-past-held": ForwardsPastHeld,
    "suspect-alone": SuspectAlone,
}
