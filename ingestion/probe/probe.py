"""The probe: measures a pipeline's lanes from outside its workers each second, and sends what it saw as telemetry."""

import logging
import threading
from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from prometheus_client import CollectorRegistry

from ingestion.config import KafkaConfig, PipelineConfig, ProbeConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Expected, LanePartition, ProbeReport
from ingestion.probe.age import AgeBook, HeadReader
from ingestion.probe.canary import CanaryProducer, Waiting
from ingestion.probe.gauges import Gauges
from ingestion.probe.lag import Offsets
from ingestion.probe.minutes import MinuteBook, boundaries
from ingestion.probe.offsets import LaneOffsets, Place
from ingestion.probe.scout import Scout
from ingestion.probe.sender import TelemetrySender
from slo.clock import Clock

log = logging.getLogger(__name__)

STUCK_S: Final = 60.0
"""A round that takes longer than this means that the process should be restarted."""
STALE_S: Final = 15.0
"""Without a good round for this long the probe is not ready."""
EXPECTED_ROWS: Final = 10_000
"""Rows of closed minutes in one report."""
HEAD_SHARE: Final = 0.5
"""The part of an interval that reading the oldest records may take."""
CLOSE_S: Final = 2.0


class Probe:
    """One pipeline's probe. `run` owns every client; `live` and `ready` may be asked from any thread."""

    def __init__(
        self,
        pipeline: PipelineConfig,
        kafka: KafkaConfig,
        probe: ProbeConfig,
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        self._pipeline = pipeline
        self._kafka = kafka
        self._config = probe
        self._clock = clock
        self._registry = registry
        self._gauges = Gauges(pipeline.name, registry)
        self._round_at = clock.monotonic()
        self._good_at: float | None = None
        self._scouting: threading.Thread | None = None

    def live(self) -> bool:
        """Does the loop still turn?"""
        return self._clock.monotonic() - self._round_at < STUCK_S

    def ready(self) -> bool:
        """Were the lanes measured lately?"""
        return self._good_at is not None and self._clock.monotonic() - self._good_at < STALE_S

    def run(self, stop: threading.Event) -> int:
        """Measure until `stop`; returns 0. An unreachable broker is waited out: every single wait is bounded."""
        producer = Producer(
            self._kafka.client(
                client_id="fairlane-probe",
                acks="all",
                enable_idempotence=True,
                message_timeout_ms=10_000,
                linger_ms=5,
            )
        )
        sender = TelemetrySender(self._pipeline.name, producer)
        waiting = Waiting()
        canary = CanaryProducer(self._pipeline, producer, self._clock, waiting)
        heads = HeadReader(self._pipeline, self._kafka)
        offsets = LaneOffsets(self._pipeline, self._kafka)
        measure = Measure(self._pipeline, offsets, heads, self._clock, self._config.interval_s)
        scouts_stop = threading.Event()
        self._start_scout(sender, scouts_stop)
        next_round = self._clock.monotonic()
        next_canary = next_round + self._config.canary_s
        try:
            while not stop.is_set():
                self._round_at = self._clock.monotonic()
                if self._round_at >= next_canary:
                    canary.send()
                    next_canary = self._round_at + self._config.canary_s
                producer.poll(0)
                with self._gauges.timed():
                    self._round(measure, sender, waiting)
                self._gauges.canaries(waiting.freshness(self._clock.now()), canary.confirmed, canary.failed)
                producer.poll(0)
                next_round = max(next_round + self._config.interval_s, self._clock.monotonic())
                stop.wait(next_round - self._clock.monotonic())
        finally:
            scouts_stop.set()
            if self._scouting is not None:
                self._scouting.join(CLOSE_S)
            heads.close()
            offsets.close()
            producer.flush(CLOSE_S)
        return 0

    def _round(self, measure: "Measure", sender: TelemetrySender, waiting: Waiting) -> None:
        try:
            lanes, expected = measure.take()
        except KafkaException as error:
            log.warning("%s: the lanes could not be measured: %s", self._pipeline.name, _reason(error))
            self._gauges.failed()
            return
        except Exception:
            log.exception("%s: a measuring round failed", self._pipeline.name)
            self._gauges.failed()
            return
        now = self._clock.now()
        seen = waiting.seen({at.partition: at.committed for at in lanes if at.lane is Lane.GENERAL}, now)
        self._gauges.lanes(lanes, now)
        self._good_at = self._clock.monotonic()
        at_ms = int(now * 1000)
        sender.send(ProbeReport(self._pipeline.name, at_ms, tuple(lanes), tuple(seen), tuple(expected[:EXPECTED_ROWS])))
        for start in range(EXPECTED_ROWS, len(expected), EXPECTED_ROWS):
            part = tuple(expected[start : start + EXPECTED_ROWS])
            sender.send(ProbeReport(self._pipeline.name, at_ms, expected=part))

    def _start_scout(self, sender: TelemetrySender, stop: threading.Event) -> None:
        if not self._config.scout:
            return
        scout = Scout(self._pipeline, self._kafka, self._clock, self._registry, sender.send_bytes)
        self._scouting = threading.Thread(
            target=scout.run, args=(stop, self._config.interval_s), name="fairlane-scout", daemon=True
        )
        self._scouting.start()


class Measure:
    """One round's measurement: offsets, ages, closed minutes."""

    def __init__(
        self, pipeline: PipelineConfig, offsets: LaneOffsets, heads: HeadReader, clock: Clock, interval_s: float
    ) -> None:
        self._pipeline = pipeline
        self._offsets = offsets
        self._heads = heads
        self._clock = clock
        self._limit_s = interval_s * HEAD_SHARE
        self._ages = AgeBook()
        self._minutes = MinuteBook(int(clock.now() * 1000))

    def take(self) -> tuple[list[LanePartition], list[Expected]]:
        """The lanes as they stand, and the minutes that are due.

        Raises KafkaException when the broker does not answer.
        """
        offsets = self._offsets.read()
        now_ms = int(self._clock.now() * 1000)
        self._ages.learn(offsets, self._heads.read(self._ages.to_read(offsets), self._limit_s, now_ms))
        return self._rows(offsets), self._expected(offsets)

    def _rows(self, offsets: Mapping[Place, Offsets]) -> list[LanePartition]:
        now_ms = int(self._clock.now() * 1000)
        rows = []
        for (lane, partition), at in offsets.items():
            age_s, kind = self._ages.age((lane, partition), at, now_ms)
            rows.append(LanePartition(lane, partition, at.committed, at.end, at.lag, age_s, str(kind), at.start))
        return rows

    def _expected(self, offsets: Mapping[Place, Offsets]) -> list[Expected]:
        starts = {partition: at.start for (lane, partition), at in offsets.items() if lane is Lane.GENERAL}
        if len(starts) < self._pipeline.partitions:
            return []
        due = self._minutes.due(int(self._clock.now() * 1000))
        if not due:
            return []
        return self._minutes.expected(due, self._offsets.at_times(boundaries(due)), starts)


def _reason(error: BaseException) -> str:
    """One line; a KafkaException carries a KafkaError."""
    found = error.args[0] if error.args else None
    return found.str() if isinstance(found, KafkaError) else str(error) or "no answer in time"
