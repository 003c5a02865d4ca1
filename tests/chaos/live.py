"""What must hold at every moment of a run, folded from what a concurrent reader sees. Pure.

Kept per (token, distinct_id): the source offsets that have had no effect yet. Everything is judged late rather than early: a record is believed
effective from the moment the journal says so, so nothing true is ever called a violation.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.fence import WILDCARD, Fence, token_hash

Key = tuple[str, str]
Place = tuple[int, int]
"""(partition, offset) in general."""


@dataclass(slots=True)
class Live:
    """The state of the world as seen so far, and what was wrong with it."""

    name: Callable[[bytes], int] = token_hash
    """A token's name in F."""
    violations: list[str] = field(default_factory=list)
    forwards: int = 0
    effects: int = 0
    commits: int = 0
    covers: int = 0
    """How often F was compared with what was in flight."""
    _key: dict[Place, Key] = field(default_factory=dict)
    _read: dict[int, int] = field(default_factory=dict)
    """Partition -> general has been read up to here (excluded)."""
    _pending: dict[tuple[int, Key], set[int]] = field(default_factory=lambda: defaultdict(set))
    _done: set[Place] = field(default_factory=set)
    _lane_of: dict[Place, tuple[Lane, int]] = field(default_factory=dict)
    _dead: set[Place] = field(default_factory=set)
    _flying: dict[tuple[Lane, int], dict[int, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))
    """(lane, partition) -> lane offset -> (source offset, token hash), until the lane's group has committed it."""
    _waiting: dict[int, deque[tuple[Lane, int]]] = field(default_factory=lambda: defaultdict(deque))
    _unjudged: list[tuple[Lane, Place, int]] = field(default_factory=list)
    _committed: dict[tuple[Lane, int], int] = field(default_factory=dict)
    _said: Counter[str] = field(default_factory=Counter)

    def record(self, partition: int, offset: int, token: str, distinct_id: str) -> None:
        """A record of general, in offset order within its partition."""
        key = (token, distinct_id)
        self._key[partition, offset] = key
        self._pending[partition, key].add(offset)
        self._read[partition] = offset + 1

    def forward(self, lane: Lane, partition: int, lane_offset: int, source: Place, token: str) -> None:
        """A committed record of a side lane, in offset order within its partition."""
        self.forwards += 1
        if source[0] != partition:
            self._say("a forward changed its partition", f"{source} stands in {lane}/{partition}")
        if source in self._lane_of:
            self._say("two committed owners", f"{source} is in {self._lane_of[source]} and in {lane, lane_offset}")
        if source in self._dead:
            self._say("two committed owners", f"{source} is a dead letter and in {lane, lane_offset}")
        self._lane_of[source] = (lane, lane_offset)
        self._flying[lane, partition][lane_offset] = (source[1], self.name(token.encode()))
        self._unjudged.append((lane, source, lane_offset))

    def buried(self, source: Place) -> None:
        """A committed dead letter of general."""
        if source in self._dead or source in self._lane_of:
            self._say("two committed owners", f"{source} is a dead letter twice, or one and forwarded")
        self._dead.add(source)
        self._settle(source)

    def effect(self, lane: Lane, source: Place) -> None:
        """A line of the journal, in the journal's order."""
        self._waiting[source[0]].append((lane, source[1]))

    def judge(self) -> None:
        """Judge what can be judged: effects and forwards whose source has been read from general."""
        for partition, effects in self._waiting.items():
            while effects and effects[0][1] < self._read.get(partition, 0):
                lane, offset = effects.popleft()
                self._apply(lane, (partition, offset))
        later = []
        for lane, source, lane_offset in self._unjudged:
            if source[1] >= self._read.get(source[0], 0):
                later.append((lane, source, lane_offset))
                continue
            self._entered(lane, source, lane_offset)
        self._unjudged = later

    def committed(self, lane: Lane, partition: int, offset: int) -> None:
        """A committed offset of a lane's group, as read just now."""
        self.commits += 1
        before = self._committed.get((lane, partition), -1)
        if offset < before:
            self._say("a committed offset moved backwards", f"{lane}/{partition}: {before} -> {offset}")
        self._committed[lane, partition] = offset
        if lane in SIDE_LANES:
            flying = self._flying[lane, partition]
            for lane_offset in [o for o in flying if o < offset]:
                source, _ = flying.pop(lane_offset)
                # its commit comes after its effect, so the journal, which is read after the commit, must have it
                if (partition, source) not in self._done and not self._is_waiting(partition, source):
                    self._say(
                        "committed without an effect",
                        f"{lane}/{partition}/{lane_offset}, source {source}, below {offset}",
                    )

    def covers_flight(self, partition: int, general: int, fence: Fence, lanes: dict[Lane, int]) -> None:
        """F as committed with `general`, and the lanes' committed offsets as read *after* it: whatever is in flight from below `general` must stand in F."""
        self.covers += 1
        for lane, committed in lanes.items():
            wild = fence.entries.get((WILDCARD, lane), -1)
            for lane_offset, (source, name) in self._flying[lane, partition].items():
                if lane_offset < committed or source >= general:
                    continue
                if max(wild, fence.entries.get((name, lane), -1)) < lane_offset:
                    self._say(
                        "F does not name what is in flight",
                        f"{lane}/{partition}/{lane_offset} (source {source}), general committed {general}, lane {committed}",
                    )

    def _is_waiting(self, partition: int, source: int) -> bool:
        return any(offset == source for _, offset in self._waiting[partition])

    def _apply(self, lane: Lane, source: Place) -> None:
        key = self._key.get(source)
        if key is None:
            self._say("an effect of nothing", f"{source} in {lane}")
            return
        if not key[0]:
            self._say("a record without a token was handled", f"{source} in {lane}")
        if source in self._done:
            return  # a repeat: harmless to an idempotent sink
        self.effects += 1
        before = [o for o in self._pending[source[0], key] if o < source[1]]
        if before:
            self._say("out of order", f"{source} of {key} was effective in {lane} before {min(before)}")
        self._done.add(source)
        self._settle(source)

    def _entered(self, lane: Lane, source: Place, lane_offset: int) -> None:
        """When a forward can be seen, all that came before it in its key is effective, or waits before it in the same lane."""
        key = self._key.get(source)
        if key is None:
            self._say("a forward of nothing", f"{source} in {lane}")
            return
        for offset in self._pending[source[0], key]:
            if offset >= source[1]:
                continue
            where = self._lane_of.get((source[0], offset))
            if where is None or where[0] is not lane or where[1] > lane_offset:
                self._say(
                    "forwarded before its predecessor was effective",
                    f"{source} of {key} is in {lane}/{lane_offset}, and {offset} is {where or 'nowhere'}",
                )

    def _settle(self, source: Place) -> None:
        key = self._key.get(source)
        if key is not None:
            self._pending[source[0], key].discard(source[1])

    def _say(self, what: str, detail: str) -> None:
        self._said[what] += 1
        if self._said[what] <= 5:
            self.violations.append(f"{what}: {detail}")

    @property
    def kinds(self) -> Counter[str]:
        """Violations by kind."""
        return self._said
