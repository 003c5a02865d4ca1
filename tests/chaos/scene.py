"""What a directed schedule works with: a stage, the mutant that plays in it, and the small steps that the schedules are made of."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ingestion.contracts.names import Lane
from tests.support.journal import Conduct
from tests.support.orders import Fault
from tests.support.stage import Stage

Process = subprocess.Popen[bytes]
QUICK_S: Final = 15.0
HEED_S: Final = 0.3
_ASSIGNED: Final = re.compile(r"assigned \[\d")
_WAITS: Final = re.compile(r"assigned \[\d|waiting for the committed offsets")


@dataclass(slots=True)
class Scene:
    """`general_plays` and `side_plays`: the mutant that plays there, "" for the true worker.

    `patience`: how many times longer than usual everybody is given. `guilty`: has something wrong been seen already? Then nobody need wait for it.
    """

    stage: Stage
    general_plays: str = ""
    side_plays: str = ""
    patience: float = 1.0
    guilty: Callable[[], bool] = lambda: False

    def general(self, slot: str = "0", fault: Fault | None = None, **conduct: Any) -> Process:
        """A general worker."""
        return self.stage.worker(
            Lane.GENERAL, slot, fault, self.general_plays, conduct=Conduct(**{"work_s": 0.001, **conduct})
        )

    def side(self, lane: Lane = Lane.OVERFLOW, slot: str = "0", **conduct: Any) -> Process:
        """A side worker."""
        return self.stage.worker(lane, slot, None, self.side_plays, conduct=Conduct(**{"work_s": 0.002, **conduct}))

    def stopped(self, lane: Lane = Lane.OVERFLOW) -> Process:
        """A side worker that has committed the log start of its partitions and stands still since."""
        process = self.side(lane)
        self.stage.until(f"{lane} has a commit", lambda: self.commits(lane) == self.stage.pipeline.partitions)
        self.freeze(process)
        return process

    @staticmethod
    def freeze(process: Process) -> None:
        """SIGSTOP."""
        process.send_signal(signal.SIGSTOP)

    @staticmethod
    def thaw(process: Process) -> None:
        """SIGCONT."""
        process.send_signal(signal.SIGCONT)

    @staticmethod
    def kill(process: Process) -> None:
        """SIGKILL."""
        process.kill()
        process.wait(10)

    def commits(self, lane: Lane) -> int:
        """Partitions in which the lane's group has a commit."""
        found = self._committed(lane)
        return sum(at.offset >= 0 for at in found or ())

    def forwarded(self, lane: Lane = Lane.OVERFLOW) -> None:
        """Until something waits in the lane and general is through."""
        self.stage.until(f"{lane} has forwards", lambda: self.stage.lags()[lane] > 0)
        self.through()

    def written(self, lane: Lane = Lane.OVERFLOW) -> None:
        """Until something was appended to the lane, aborted or not."""
        reader = Consumer(self.stage.kafka.client(group_id="scene", isolation_level="read_uncommitted"))
        try:
            self.stage.until(f"{lane} is written to", lambda: any(_end(reader, at) > 0 for at in self._places(lane)))
        finally:
            reader.close()

    def through(self) -> None:
        """Until general is through."""
        self.stage.until("general is through", lambda: self.stage.lags()["general"] == 0)

    def route(self, token: str, lane: Lane) -> None:
        """Want the token in the lane, and give the workers time to hear of it."""
        self.stage.route(token, lane)
        time.sleep(HEED_S * self.patience)

    def joined(self, *, or_waits: bool = False) -> None:
        """Until the general worker that was started last has partitions (`or_waits`: or waits for their offsets): only then can it go wrong."""
        log = max(self.stage.directory.glob(f"{Lane.GENERAL}-*.log"), key=lambda path: int(path.stem.split("-")[-1]))
        sign = _WAITS if or_waits else _ASSIGNED
        self.stage.until("the worker has partitions", lambda: sign.search(log.read_text(encoding="utf-8")), 60.0)

    def calm(self, seconds: float = 1.5) -> None:
        """Time for a mutant to go wrong."""
        deadline = time.monotonic() + seconds * self.patience
        while time.monotonic() < deadline and not self.guilty():
            time.sleep(0.05)

    def lose_metadata(self) -> None:
        """What `kafka-consumer-groups --reset-offsets --to-current` does to general, once its group has no member."""
        self.stage.until("the offsets are re-committed without metadata", self._recommit)

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        """A liveness claim."""
        self.stage.until(what, holds, QUICK_S * self.patience)

    def drain(self, stuck_s: float = 30.0) -> None:
        """Everything drains; it does not when no lag has changed for `stuck_s`."""
        self.stage.until_drained(stuck_s * self.patience)

    def _recommit(self) -> bool:
        names = self.stage.pipeline.names
        operator = Consumer(self.stage.kafka.client(group_id=names.group(Lane.GENERAL), enable_auto_commit=False))
        try:
            found = operator.committed(self._places(Lane.GENERAL), 5)
            plain = [TopicPartition(at.topic, at.partition, at.offset) for at in found if at.offset >= 0]
            if plain:
                operator.commit(offsets=plain, asynchronous=False)
            return not any(at.metadata for at in operator.committed(self._places(Lane.GENERAL), 5))
        except KafkaException:
            return False  # the group still has a member
        finally:
            operator.close()

    def _committed(self, lane: Lane) -> list[TopicPartition] | None:
        group = self.stage.pipeline.names.group(lane)
        reader = Consumer(self.stage.kafka.client(group_id=group, enable_auto_commit=False))
        try:
            return reader.committed(self._places(lane), 5)
        except KafkaException:
            return None
        finally:
            reader.close()

    def _places(self, lane: Lane) -> list[TopicPartition]:
        topic = self.stage.pipeline.names.topic(lane)
        return [TopicPartition(topic, p) for p in range(self.stage.pipeline.partitions)]


Schedule = Callable[[Scene], None]


def _end(reader: Consumer, place: TopicPartition) -> int:
    try:
        return reader.get_watermark_offsets(place, 5)[1]
    except KafkaException:
        return 0  # the topic is too new
