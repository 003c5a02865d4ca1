"""Follows `fairlane.telemetry` and `fairlane.state` for the page: consumers that belong to no group, in one thread, never raising.

Reports are plain messages and are read uncommitted, so that nobody's open transaction holds the page up; outcomes (`sli`) travel in the workers'
transactions and are read committed, by a consumer of their own.
"""

import logging
import threading
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fairlane.app.fold import Fold
from fairlane.app.observation import Part
from ingestion.contracts import telemetry
from ingestion.contracts.names import TELEMETRY_TOPIC
from isolator.state import StateReader, StateView
from slo.clock import Clock
from slo.errors import FairlaneError

BACK_S: Final = 900.0
"""How far back the first read begins."""
DETAIL_S: Final = 60.0
"""Older reports of workers and arrivals say nothing about now and are not decoded."""
ANSWER_S: Final = 3.0
"""How long the broker may take to answer."""
RETRY_S: Final = 2.0
_HISTORY: Final = frozenset({"probe", "sli"})
log = logging.getLogger(__name__)


class _NotYet(Exception):
    """The telemetry topic does not exist yet."""


class Follower:
    """Folds and state views of some pipelines; read them under `lock`."""

    def __init__(self, kafka: Mapping[str, Any], pipelines: Sequence[str], clock: Clock) -> None:
        self.lock = threading.Lock()
        self.folds = {name: Fold() for name in pipelines}
        self.part = Part("kafka", ok=True)
        self.looked = False
        """The first look has succeeded or failed."""
        # what is away is said on the page and logged once below, not twenty times a second by the library
        self._kafka = {**kafka, "log_level": 0, "reconnect.backoff.ms": 500}
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._state: StateReader | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._thread = threading.Thread(target=self._run, name="page-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop within about ANSWER_S."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * ANSWER_S)

    def state(self, pipeline: str) -> StateView | None:
        """The pipeline's folded state, None before the first look. Under `lock`."""
        return self._state.view(pipeline) if self._state is not None else None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except _NotYet:
                # the broker answers; no part has made the topics yet, so nobody has reported
                self._here()
            except (KafkaException, FairlaneError) as error:
                self._away(_reason(error))
            except Exception as error:
                # the page must outlive whatever a message or a library does; it says so and begins anew
                log.exception("the page's follower begins anew")
                self._away(f"{type(error).__name__}: {error}")
            self._stop.wait(RETRY_S)

    def _follow(self) -> None:
        plain, committed = self._consumer("read_uncommitted"), self._consumer("read_committed")
        try:
            places = self._assign(plain, committed)
            reader = StateReader(self._kafka, self.folds)
            try:
                # a state that is not there yet (no controller has ever run) must not hide the lanes
                reader.poll(0.5)
                with self.lock:
                    old, self._state = self._state, reader
                if old is not None:
                    old.close()
                self._loop(plain, committed, reader, places)
            except BaseException:
                # what was folded stays readable; the next reader takes its place and closes this one
                if self._state is not reader:
                    reader.close()
                raise
        finally:
            plain.close()
            committed.close()

    def _loop(self, plain: Consumer, committed: Consumer, reader: StateReader, places: list[TopicPartition]) -> None:
        silent_since = self._clock.monotonic()
        while not self._stop.is_set():
            messages = plain.consume(500, 0.25)
            outcomes = committed.consume(500, 0.0)
            with self.lock:
                folded = reader.poll(0.0)
                self._fold(messages, outcomes=False)
                self._fold(outcomes, outcomes=True)
            if messages or folded:
                silent_since = self._clock.monotonic()
                self._here()
            elif self._clock.monotonic() - silent_since > ANSWER_S:
                # silence: is it the reporters, or the broker? Raises when it is the broker
                plain.get_watermark_offsets(places[0], timeout=ANSWER_S)
                silent_since = self._clock.monotonic()
                self._here()

    def _fold(self, messages: Sequence[Message], *, outcomes: bool) -> None:
        detail_since = (self._clock.now() - DETAIL_S) * 1000
        for message in messages:
            value, key = message.value(), message.key()
            if message.error() is not None or value is None or key is None:
                continue
            kind = telemetry.kind_of(value)
            at_ms = message.timestamp()[1]
            if (kind == "sli") is not outcomes or (kind not in _HISTORY and at_ms < detail_since):
                continue
            fold = self.folds.get(key.decode(errors="replace"))
            if fold is None:
                continue
            try:
                fold.add(telemetry.decode(value), at_ms / 1000)
            except telemetry.UnknownMessage:
                continue

    def _consumer(self, isolation: str) -> Consumer:
        return Consumer(
            {
                **self._kafka,
                "group.id": "fairlane.page",
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                "isolation.level": isolation,
                "fetch.wait.max.ms": 100,
                "allow.auto.create.topics": False,
            }
        )

    def _assign(self, *consumers: Consumer) -> list[TopicPartition]:
        """Assign the pipelines' partitions from BACK_S ago. Raises KafkaException when the broker is away, _NotYet when the topic is."""
        topic = consumers[0].list_topics(TELEMETRY_TOPIC, timeout=ANSWER_S).topics[TELEMETRY_TOPIC]
        if topic.error is not None and topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise _NotYet
        if topic.error is not None:
            raise KafkaException(topic.error)
        count = len(topic.partitions)
        since = int((self._clock.now() - BACK_S) * 1000)
        wanted = sorted({zlib.crc32(name.encode()) % count for name in self.folds})
        places = consumers[0].offsets_for_times(
            [TopicPartition(TELEMETRY_TOPIC, partition, since) for partition in wanted], timeout=ANSWER_S
        )
        for consumer in consumers:
            consumer.assign(places)
        with self.lock:
            # what is read again from 15 minutes ago must not be counted twice
            self.folds = {name: Fold() for name in self.folds}
        return places

    def _here(self) -> None:
        self.part, self.looked = Part("kafka", ok=True), True

    def _away(self, why: str) -> None:
        if self.part.ok:
            log.warning("kafka cannot be read: %s", why)
        where = self._kafka.get("bootstrap.servers", "")
        self.part = Part(
            "kafka",
            ok=False,
            detail=f"Kafka at {where} cannot be read ({why}): check that it runs and that kafka.bootstrap is right; “fairlane doctor” looks closer.",
        )
        self.looked = True


def _reason(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.str() if hasattr(first, "str") else str(first)
