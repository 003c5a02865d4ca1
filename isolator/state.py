"""The state topic, folded: routes, mode, marks, verdicts, status, answers and baseline snapshots per pipeline.

`StateView` is the pure fold; `StateReader` follows `fairlane.state` from its start with a consumer that belongs to no group. A reader belongs to one thread.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ingestion.contracts.names import STATE_TOPIC
from ingestion.contracts.routes import RouteTable
from isolator import marks
from isolator.answers import Answer
from isolator.changes import Change
from isolator.marks import Mark
from isolator.status import PipelineStatus
from isolator.verdict import Verdict
from slo.errors import BrokerUnreachable

READ_AHEAD: Final = 1_000


@dataclass(slots=True)
class StateView:
    """One pipeline's state as folded from `fairlane.state`. Pure: feed it records in offset order. Unreadable values are counted and skipped."""

    pipeline: str
    table: RouteTable = field(init=False)
    marks: dict[str, tuple[Mark, ...]] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    snapshot: dict[int, bytes] = field(default_factory=dict)
    status: PipelineStatus | None = None
    mode_written: bool = False
    unreadable: int = 0

    def __post_init__(self) -> None:
        self.table = RouteTable(self.pipeline)

    def apply(self, key: bytes | None, value: bytes | None, offset: int) -> None:
        """Fold one record; other pipelines' records only advance the version."""
        self.table.apply(key, value, offset)
        kind, _, rest = (key or b"").decode(errors="replace").partition("/")
        pipeline, _, name = rest.partition("/")
        if pipeline != self.pipeline:
            return
        fold = _FOLDS.get(kind)
        if fold is None:
            return
        try:
            fold(self, name, value)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.unreadable += 1

    def latest(self, token: str) -> list[Verdict]:
        """The token's verdicts, newest first."""
        return sorted((v for v in self.verdicts.values() if v.token == token), key=lambda v: (-v.at_ms, v.id))


def _keep(view: dict[str, Any], name: str, value: bytes | None, decode: Callable[[bytes], Any]) -> None:
    if value is None:
        view.pop(name, None)
    else:
        view[name] = decode(value)


def _snapshot(view: StateView, name: str, value: bytes | None) -> None:
    if value is None:
        view.snapshot.pop(int(name), None)
    else:
        view.snapshot[int(name)] = value


def _status(view: StateView, _: str, value: bytes | None) -> None:
    view.status = PipelineStatus.decode(value) if value is not None else None


def _mode(view: StateView, _: str, value: bytes | None) -> None:
    view.mode_written = value is not None


_FOLDS: Final[dict[str, Callable[[StateView, str, bytes | None], None]]] = {
    "mark": lambda view, name, value: _keep(view.marks, name, value, marks.decode),
    "verdict": lambda view, name, value: _keep(view.verdicts, name, value, Verdict.decode),
    "answer": lambda view, name, value: _keep(view.answers, name, value, Answer.decode),
    "change": lambda view, name, value: _keep(view.changes, name, value, Change.decode),
    "snapshot": _snapshot,
    "status": _status,
    "mode": _mode,
}


class StateReader:
    """Follows `fairlane.state` for some pipelines. Not thread-safe: one thread polls and reads it."""

    def __init__(self, kafka: Mapping[str, Any], pipelines: Iterable[str], *, from_end: bool = False) -> None:
        """With `from_end` only what is written from now on is folded; raises BrokerUnreachable when the end cannot be read."""
        self.views = {name: StateView(name) for name in pipelines}
        self.position = 0
        self._consumer = Consumer(
            {
                **kafka,
                "group.id": "fairlane.state-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 50,
                "allow.auto.create.topics": False,
            }
        )
        if from_end:
            self.position = self._end(10.0)
        self._consumer.assign([TopicPartition(STATE_TOPIC, 0, self.position)])

    def poll(self, timeout_s: float = 0.0) -> int:
        """Fold what has come within `timeout_s`; returns the number of records. Broker trouble is waited out, never raised."""
        messages = self._consumer.consume(READ_AHEAD, timeout_s)
        folded = 0
        for message in messages:
            error = message.error()
            if error is not None:
                if error.fatal():
                    raise BrokerUnreachable(f"{STATE_TOPIC} cannot be read: {error.str()}")
                continue
            offset = message.offset()
            assert offset is not None
            for view in self.views.values():
                view.apply(message.key(), message.value(), offset)
            self.position = offset + 1
            folded += 1
        return folded

    def catch_up(self, timeout_s: float = 10.0) -> None:
        """Read to what was the end when this was called. Raises BrokerUnreachable when nothing comes for `timeout_s`, or not all within four times that."""
        end = self._end(timeout_s)
        began = moved = time.monotonic()
        at = self._reached()
        while at < end:
            now = time.monotonic()
            if now - moved > timeout_s or now - began > 4 * timeout_s:
                raise BrokerUnreachable(
                    f"{STATE_TOPIC} was not read to its end within {timeout_s:g} s (at {self.position} of {end}): "
                    "is the broker reachable, and does another controller's transaction hang?"
                )
            self.poll(0.05)
            if (reached := self._reached()) > at:
                at, moved = reached, now

    def _reached(self) -> int:
        # the log may end in control markers or have a compacted tail: the position steps past them, the last record's offset does not
        at = self._consumer.position([TopicPartition(STATE_TOPIC, 0)])[0].offset
        return max(self.position, at)

    def _end(self, timeout_s: float) -> int:
        try:
            # a read_committed consumer's high mark is the last stable offset
            low, high = self._consumer.get_watermark_offsets(TopicPartition(STATE_TOPIC, 0), timeout=timeout_s)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            raise BrokerUnreachable(
                f"the end of {STATE_TOPIC} cannot be read: {reason.str()}; check kafka.bootstrap, and that `fairlane doctor` finds the topic"
            ) from error
        return high if high > low else 0

    def view(self, pipeline: str) -> StateView:
        """The pipeline's folded state. Raises KeyError for a pipeline that is not followed."""
        return self.views[pipeline]

    def table(self, pipeline: str) -> RouteTable:
        """The pipeline's routes and mode."""
        return self.views[pipeline].table

    def status(self, pipeline: str) -> PipelineStatus | None:
        """The controller's last status, None before the first."""
        return self.views[pipeline].status

    def verdicts(self, pipeline: str) -> list[Verdict]:
        """All kept verdicts, newest first."""
        return sorted(self.views[pipeline].verdicts.values(), key=lambda v: (-v.at_ms, v.id))

    def marks(self, pipeline: str) -> Mapping[str, tuple[Mark, ...]]:
        """Marks by token, expired ones included."""
        return self.views[pipeline].marks

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
