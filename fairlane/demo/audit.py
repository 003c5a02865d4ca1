"""The independent check: what the load was told was accepted, against what the topics and the sink hold.

It knows nothing of a worker's counters. Identity is the *source offset*, the record's place in the general topic: every general record has exactly one
committed owner, which is one forward, one dead letter, or (with neither) the general lane itself. Order is judged per (token, distinct_id), by
the order of effects in the sink against source offsets.

Everything is kept as 64-bit numbers (about 24 bytes a record) and joined with numpy: 200,000 records take a few seconds.
"""

import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from sqlalchemy import create_engine, text

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import SIDE_LANES, Lane, PipelineNames
from slo.errors import BrokerUnreachable

Progress = Callable[[str], None]
Numbers = npt.NDArray[np.int64]

SILENCE_S: Final = 30.0
"""A topic that gives nothing, not even its end, for this long is given up."""
_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001  the client's public name for it


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts of accepted events, and of what is wrong with them. All but the first three must be 0."""

    accepted: int
    visible: int
    dead: int
    missing: int
    """Accepted, but neither in the sink nor in the dead letters."""
    duplicated: int
    """Owners beyond the first of a source offset, and rows beyond the first of an event in the sink."""
    out_of_order: int
    """Sink rows that came after a row of the same key with a larger source offset."""
    strangers: int
    """Forwards, dead letters and effects whose source is not in the topic they claim to come from (an aborted forward that was handled, say)."""

    @property
    def clean(self) -> bool:
        """Is nothing lost, doubled, reordered or made up?"""
        return not (self.missing or self.duplicated or self.out_of_order or self.strangers)

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)


def identity(event_id: str) -> int:
    """64 bits for an event id: the same within this process only."""
    return hash(event_id)


def entity(token: str, distinct_id: str) -> int:
    """64 bits for what order is promised for: the same within this process only."""
    return hash((token, distinct_id))


def place(partition: int, offset: int) -> int:
    """A record's place in its topic as one number, in offset order within a partition."""
    return partition << 48 | offset


@dataclass(slots=True)
class Topics:
    """What the topics hold, aborted records left out. Places are `place(...)` numbers, parallel arrays belong together."""

    source: "array[int]" = field(default_factory=lambda: array("q"))
    """Places in general, canaries left out ..."""
    event: "array[int]" = field(default_factory=lambda: array("q"))
    """... and their event ids."""
    forwarded: "array[int]" = field(default_factory=lambda: array("q"))
    """The source of every record in a side lane."""
    buried: "array[int]" = field(default_factory=lambda: array("q"))
    """The source of every dead letter that general gave up itself."""
    buried_later: "array[int]" = field(default_factory=lambda: array("q"))
    """The source of every dead letter that a side lane gave up."""


@dataclass(slots=True)
class Effects:
    """What the sink holds, in the order in which it became visible. Parallel arrays."""

    event: "array[int]" = field(default_factory=lambda: array("q"))
    key: "array[int]" = field(default_factory=lambda: array("q"))
    source: "array[int]" = field(default_factory=lambda: array("q"))
    side: "array[int]" = field(default_factory=lambda: array("q"))
    """1 for an effect of a side lane, 0 for general's."""

    def add(self, event_id: str, token: str, distinct_id: str, source: int, *, side: bool) -> None:
        """The next effect."""
        self.event.append(identity(event_id))
        self.key.append(entity(token, distinct_id))
        self.source.append(source)
        self.side.append(side)


def judge(accepted: Numbers, topics: Topics, effects: Effects) -> Audit:
    """Compare. Pure; `accepted` holds different event ids."""
    source, event = _numbers(topics.source), _numbers(topics.event)
    forwarded, buried, later = _numbers(topics.forwarded), _numbers(topics.buried), _numbers(topics.buried_later)
    seen, effect_source = _numbers(effects.event), _numbers(effects.source)
    side = _numbers(effects.side) == 1
    is_visible = np.isin(accepted, seen)
    is_dead = np.isin(accepted, event[np.isin(source, np.concatenate((buried, later)))]) & ~is_visible
    owners = np.concatenate((forwarded, buried))
    strangers = (
        np.count_nonzero(~np.isin(owners, source))
        + np.count_nonzero(~np.isin(later, forwarded))
        + np.count_nonzero(~np.isin(effect_source, source))
        + np.count_nonzero(~np.isin(effect_source[side], forwarded))
    )
    return Audit(
        accepted=len(accepted),
        visible=int(np.count_nonzero(is_visible)),
        dead=int(np.count_nonzero(is_dead)),
        missing=int(np.count_nonzero(~(is_visible | is_dead))),
        duplicated=_repeats(owners) + _repeats(later) + _repeats(seen),
        out_of_order=disorder(_numbers(effects.key), effect_source),
        strangers=int(strangers),
    )


def disorder(key: Numbers, source: Numbers) -> int:
    """How many elements come after one of the same key with a larger source."""
    if not len(key):
        return 0
    order = np.argsort(key, kind="stable")
    _, group = np.unique(key[order], return_inverse=True)
    _, rank = np.unique(source[order], return_inverse=True)
    # one running maximum over all groups: a later group's numbers are larger than all of an earlier one's
    value = group.astype(np.int64) * len(key) + rank
    return int(np.count_nonzero(value < np.maximum.accumulate(value)))


def audit(
    kafka: KafkaConfig,
    pipeline: PipelineConfig,
    sink_url: str,
    accepted: Iterable[str],
    progress: Progress = lambda _: None,
) -> Audit:
    """Read all topics of the pipeline from the start, and the sink, and judge the event ids that capture said it accepted.

    Raises BrokerUnreachable when a topic stops answering, and SQLAlchemy's errors when the sink does.
    """
    ids = np.unique(_numbers(identity(event_id) for event_id in accepted))
    topics = read_topics(kafka, pipeline.names, progress)
    progress("reading the sink")
    effects = read_sink(sink_url)
    progress(f"comparing {len(ids)} events, {len(topics.source)} records and {len(effects.event)} effects")
    return judge(ids, topics, effects)


def read_topics(kafka: KafkaConfig, names: PipelineNames, progress: Progress) -> Topics:
    """All lanes and the dead letters, read_committed, from the start to where they end now."""
    topics = Topics()
    lane_source: dict[str, dict[int, int]] = {}

    def general(message: Message) -> None:
        found = _headers(message)
        if headers.CANARY not in found:
            topics.source.append(_place_of(message))
            topics.event.append(identity(_text(found, headers.EVENT_ID)))

    def side(message: Message) -> None:
        found = _headers(message)
        if headers.CANARY not in found:
            _, source = parse_place(_text(found, headers.LANE_SOURCE))
            topics.forwarded.append(source)
            lane_source[str(message.topic())][_place_of(message)] = source

    def dead(message: Message) -> None:
        found = _headers(message)
        topic, at = parse_place(_text(found, headers.DEAD_SOURCE))
        if topic in lane_source:
            topics.buried_later.append(lane_source[topic].get(at, -1))
        elif _text(found, headers.DEAD_LANE) in SIDE_LANES:
            topics.buried_later.append(at)
        else:
            topics.buried.append(at)

    _read(kafka, names.topic(Lane.GENERAL), general, progress)
    for lane in SIDE_LANES:
        lane_source[names.topic(lane)] = {}
        _read(kafka, names.topic(lane), side, progress)
    _read(kafka, names.dead, dead, progress)
    return topics


def read_sink(url: str) -> Effects:
    """The default sink's table, in the order in which it was written."""
    effects = Effects()
    engine = create_engine(url)
    columns = "event_id, token, distinct_id, lane, source_partition, source_offset"
    try:
        with engine.connect().execution_options(yield_per=10_000) as connection:
            for event_id, token, distinct_id, lane, partition, offset in connection.execute(
                text(f"SELECT {columns} FROM events ORDER BY seq")  # noqa: S608  constants only
            ):
                effects.add(event_id, token, distinct_id, place(partition, offset), side=lane != Lane.GENERAL)
    finally:
        engine.dispose()
    return effects


def parse_place(value: str) -> tuple[str, int]:
    """Topic and place of a `topic/partition/offset` header; ("", -1) when it is none."""
    topic, _, rest = value.partition("/")
    partition, _, offset = rest.partition("/")
    if not (partition.isdigit() and offset.isdigit()):
        return "", -1
    return topic, place(int(partition), int(offset))


def _read(kafka: KafkaConfig, topic: str, take: Callable[[Message], None], progress: Progress) -> None:
    """Give every committed record of `topic` to `take`, up to each partition's present end."""
    consumer = Consumer(
        kafka.client(
            client_id="fairlane-audit",
            group_id="fairlane.audit",  # never joined: the client asks for a name
            enable_auto_commit=False,
            enable_partition_eof=True,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_wait_max_ms=50,
            queued_min_messages=50_000,
        )
    )
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
        left = set(found.partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
        count, heard = 0, time.monotonic()
        while left:
            messages = consumer.consume(5_000, 0.1)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S:
                raise BrokerUnreachable(
                    f"the topic {topic} at {kafka.bootstrap} gave nothing for {SILENCE_S:g} s while it was read from the start: "
                    "check the broker's log and try again"
                )
            for message in messages:
                error = message.error()
                if error is None:
                    take(message)
                    count += 1
                elif error.code() == _EOF:
                    left.discard(cast("int", message.partition()))
            progress(f"reading {topic}: {count} records")
    finally:
        consumer.close()


def _headers(message: Message) -> dict[str, bytes | str | None]:
    return dict(cast("headers.Headers", message.headers() or ()))


def _text(found: dict[str, bytes | str | None], name: str) -> str:
    value = found.get(name)
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _place_of(message: Message) -> int:
    return place(cast("int", message.partition()), cast("int", message.offset()))


def _repeats(values: Numbers) -> int:
    return len(values) - len(np.unique(values))


def _numbers(values: Iterable[int]) -> Numbers:
    return np.fromiter(values, dtype=np.int64) if not isinstance(values, array) else np.array(values, dtype=np.int64)
