"""One partition's candidates for a chunk: headers read once, every token hash decided once, priced in blocks."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from confluent_kafka import Message

from ingestion.contracts.headers import of_all
from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.buffer import Buffer
from ingestion.lanes.fence import Fence
from ingestion.lanes.hold import Holds, Wait
from ingestion.lanes.layout import NO_TOKEN, Headers, captured_texts, token_of
from ingestion.lanes.share import DEAD, HERE, HOLD, NO_TOKEN_VERDICT, Share, Verdict
from ingestion.lanes.tokens import FORWARD_S, Names, Predictions

_BLOCK: Final = 1_024
TOKEN_LIMIT: Final = 1_024
"""Bytes of a token; a longer one is none (capture allows 200): it would fill telemetry and the worker's memory."""
_LANES: Final = {lane.code: lane for lane in SIDE_LANES}


class Candidates:
    """A `turn.Source` over a buffer. Decisions are made now, at take time, and hold for this chunk only.

    `wanted`: tokens that are wanted outside general. `fence` must have been drained. `doomed`: offset of a record that goes to the dead letters, and why.
    `here_s`: what any record costs here, None to predict it by token. `captured`: read the capture times as well. `block`: records that are looked at at once.
    """

    def __init__(
        self,
        buffer: Buffer,
        fence: Fence,
        wanted: Mapping[bytes, Lane],
        holds: Holds,
        names: Names,
        predictions: Predictions,
        now: float,
        doomed: tuple[int, Verdict] | None = None,
        here_s: float | None = None,
        captured: bool = False,
        block: int = _BLOCK,
    ) -> None:
        self.prefix: list[float] = []
        self.refused = False
        self.held = False
        self._buffer = buffer
        self._fence = fence
        self._wanted = wanted
        self._holds = holds
        self._names = names
        self._predictions = predictions
        self._now = now
        self._doomed = doomed
        self._here_s = here_s
        self._block = block
        self._plain = not fence.entries and not wanted
        if not fence.entries:
            holds.forget(buffer.partition)
        self._messages: list[Message] = []
        self._headers: list[Headers] = []
        self._tokens: list[bytes] = []
        self._captured: list[bytes] | None = [] if captured else None
        self._placed: dict[bytes, int] = {}
        self._by_hash: dict[int, int] = {}
        self._reserved = 0
        self._odd = False

    def extend(self) -> bool:
        """Look at the next block; False at the buffer's end or behind a held record."""
        seen = len(self._messages)
        if self.held:
            return False
        messages = self._buffer.peek(seen, seen + self._block)
        if not messages:
            return False
        headers: list[Headers] = of_all(messages)
        tokens = [h[0][1] if h and h[0][0] == "token" and h[0][1] else token_of(h) for h in headers]
        # where nothing is moved, only tokens never seen before need a look
        if self._captured is not None:
            self._captured += captured_texts(headers)  # now, while the headers are in the processor's cache
        new = set(tokens).difference(self._names.known if self._plain and not self._odd else self._placed)
        if new:
            if too_long := {token for token in new if len(token) > TOKEN_LIMIT}:
                tokens = [NO_TOKEN if token in too_long else token for token in tokens]
                new = (new - too_long) | {NO_TOKEN}
            self._placed.update((token, self._place(token)) for token in new)
            if not self._odd and any(self._placed[token] != HERE for token in new):
                self._odd = True
                self._placed.update((token, self._place(token)) for token in {*self._tokens, *tokens}.difference(new))
        if self._odd:
            codes = [self._placed[token] for token in tokens]
            if HOLD in codes:
                first = codes.index(HOLD)
                self._hold(tokens[first], at_head=seen + first == 0)
                del messages[first:], headers[first:], tokens[first:], codes[first:]
                if self._captured is not None:
                    del self._captured[seen + first :]
            work = [c if code == HERE else FORWARD_S for c, code in zip(self._costs(tokens), codes, strict=True)]
        else:
            work = self._costs(tokens)
        self._messages += messages
        self._headers += headers
        self._tokens += tokens
        sums = accumulate(work, initial=self.prefix[-1] if self.prefix else 0.0)
        next(sums)
        self.prefix.extend(sums)
        return bool(messages)

    def take(self, count: int) -> Share:
        """The first `count` candidates."""
        tokens = self._tokens[:count]
        share = Share(self._buffer.partition, self._messages[:count], self._headers[:count], tokens)
        share.captured = self._captured[:count] if self._captured is not None else None
        if self._odd:
            share.codes = [self._placed[token] for token in tokens]
            if DEAD in share.codes:
                share.verdicts = {i: NO_TOKEN_VERDICT for i, code in enumerate(share.codes) if code == DEAD}
        if self._doomed is not None:
            self._doom(share, *self._doomed)
        return share

    def before(self, offset: int, count: int) -> int:
        """How many of the first `count` candidates stand before `offset`."""
        return next((i for i, m in enumerate(self._messages[:count]) if (m.offset() or 0) >= offset), count)

    def _doom(self, share: Share, offset: int, verdict: Verdict) -> None:
        for i, message in enumerate(share.messages):
            if message.offset() == offset and (share.codes is None or share.codes[i] == HERE):
                share.codes = share.codes or [HERE] * len(share)
                share.codes[i] = DEAD
                share.verdicts[i] = verdict

    def _costs(self, tokens: list[bytes]) -> list[float]:
        return self._predictions.costs(tokens) if self._here_s is None else [self._here_s] * len(tokens)

    def _place(self, token: bytes) -> int:
        if not token:
            return DEAD
        try:
            _, name = self._names.of(token)
        except UnicodeDecodeError:
            return DEAD
        if self._plain:
            return HERE
        code = self._by_hash.get(name)
        if code is None:
            code = self._by_hash[name] = self._decide(token, name)
        return code

    def _decide(self, token: bytes, name: int) -> int:
        decision = self._fence.decide(name, self._wanted.get(token, Lane.GENERAL), self._reserved)
        self.refused = self.refused or decision.refused
        key = (self._buffer.partition, name)
        if decision.lane is None:
            wait = self._holds.ask(key, self._now, may_forward=decision.fallback is not None)
            return decision.fallback.code if wait is Wait.FORWARD and decision.fallback else HOLD
        self._holds.clear(key)
        if decision.lane is not Lane.GENERAL and (name, decision.lane) not in self._fence.entries:
            self._reserved += 1
        return decision.lane.code

    def _hold(self, token: bytes, *, at_head: bool) -> None:
        self.held = True
        if at_head:
            self._holds.start((self._buffer.partition, self._names.of(token)[1]), self._now)


def lane_of(code: int) -> Lane:
    """The side lane that a placement code names; raises KeyError for one that is not a forward."""
    return _LANES[code]
