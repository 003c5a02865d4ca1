"""A person at the controller: moves and restores tokens by command while controllers die, and checks afterwards that each command was answered once and obeyed."""

import random
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from zlib import crc32

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC, Lane
from ingestion.contracts.routes import Route
from ingestion.contracts.telemetry import Action, Command, encode
from ingestion.lanes.hooks import Point
from isolator.answers import Answer
from isolator.membership import LOOK_BACK_S
from tests.chaos.load import COMMANDED, PATIENCE_S
from tests.support.faulty_controller import VARIABLE, ControllerSpec
from tests.support.orders import Fault
from tests.support.stage import Stage

EVERY_S: Final = 1.0
LATER: Final = "comes back as soon as"
STANDING_S: Final = 120.0
"""A command waits this long for its answer: a dead controller's session runs out after 10 s, and its transaction too."""


class Commander:
    """One controller process, and commands to it every second; a context manager. Stops the controller in the end."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.sent: dict[str, Command] = {}
        self.moves = 0
        self.restores = 0
        self.expired = 0
        """Commands that nobody answered because no controller was there for LOOK_BACK_S."""
        self.failure: BaseException | None = None
        self._stage = stage
        self._chance = random.Random(seed)
        self._producer = Producer(stage.kafka.client(linger_ms=0))
        topics = self._producer.list_topics(TELEMETRY_TOPIC, timeout=30).topics
        self._partition = crc32(stage.pipeline.name.encode()) % len(topics[TELEMETRY_TOPIC].partitions)
        self._moved: dict[str, Lane] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self._dying = False
        self._name, self._process = self._start()
        self._thread = threading.Thread(target=self._command, name="commander", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """No more commands; the controller leaves."""
        self._stop.set()
        self._thread.join(30)
        self._process.send_signal(signal.SIGTERM)

    def kill(self, point: Point, limit_s: float = 40.0) -> bool:
        """The controller dies inside its next move or restore, and another one takes over; False when it did not come to that."""
        fault = Fault(do="kill", at=point)
        with self._lock:
            self._dying = True
            name, victim = self._name, self._process
            self._stage.orders.place(name, fault)
        deadline = time.monotonic() + limit_s
        while victim.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self._stage.orders.withdraw(name)
        dead = victim.poll() == -signal.SIGKILL
        with self._lock:
            self._dying = False
            if victim.poll() is not None:
                self._name, self._process = self._start()
        return dead

    def settle(self) -> list[str]:
        """Everything comes back to general; what is wrong with answers and routes, in words."""
        self._stop.set()
        self._thread.join(30)
        for token in sorted(self._moved):
            self._send(Action.RESTORE, token)
        deadline = time.monotonic() + STANDING_S
        while True:
            answers, routes, moves, when = self._read()
            silent = [c for c in self.sent if c not in answers]
            last = max((command.at_ms for c, command in self.sent.items() if c in answers), default=0)
            # commands are taken up in their order
            if all(self.sent[c].at_ms < last for c in silent) or time.monotonic() > deadline:
                break
            time.sleep(0.5)
            with self._lock:
                if self._process.poll() is not None:
                    self._name, self._process = self._start()
        heard = [(self.sent[c].at_ms, written) for c, written in when if c in self.sent]
        unheard = [c for c in silent if not _expired(self.sent[c].at_ms, heard)]
        self.expired = len(silent) - len(unheard)
        wrong = [f"a command was never answered: {self.sent[c]}" for c in unheard]
        wrong += [f"command {c} was answered {len(found)} times" for c, found in answers.items() if len(found) > 1]
        wrong += [f"verdict {v} was written with two answers" for v, n in moves.items() if n > 1]
        for token in COMMANDED:
            told = [(c, answers[c.id][0]) for c in self.sent.values() if c.token == token and c.id in answers]
            obeyed = [(command, answer) for command, answer in told if answer.ok]
            if not obeyed:
                continue
            command, answer = obeyed[-1]
            wanted = command.lane or Lane.GENERAL
            # a restore may have to wait until the lane has caught up, which nobody measures here
            if routes.get(token) is not wanted and not (command.action is Action.RESTORE and LATER in answer.message):
                said = [(str(c.action), str(c.lane), a.message) for c, a in told[-4:]]
                wrong.append(f"{token} is wanted in {routes.get(token)} after {said}")
        return wrong

    def _start(self) -> tuple[str, subprocess.Popen[bytes]]:
        self._number += 1
        name = f"controller-{self._number}"
        spec = ControllerSpec(
            name=name,
            bootstrap=self._stage.kafka.bootstrap,
            pipeline=self._stage.pipeline.name,
            orders=self._stage.directory / "orders",
        )
        process = self._stage.process("tests.support.faulty_controller", VARIABLE, spec.model_dump_json(), name)
        return name, process

    def _command(self) -> None:
        try:
            while not self._stop.wait(EVERY_S):
                with self._lock:
                    if self._process.poll() is not None and not self._dying and not self._stage.away.is_set():
                        self._name, self._process = self._start()
                token = self._chance.choice(COMMANDED)
                now = self._moved.get(token)
                if now is not None and self._chance.random() < 0.4:
                    self._send(Action.RESTORE, token)
                else:
                    self._send(Action.MOVE, token, Lane.QUARANTINE if now is Lane.OVERFLOW else Lane.OVERFLOW)
        except BaseException as error:
            self.failure = error

    def _send(self, action: Action, token: str, lane: Lane | None = None) -> None:
        command = Command(
            self._stage.pipeline.name, int(time.time() * 1000), uuid.uuid4().hex, action, "chaos", "chaos", token, lane
        )
        self._producer.produce(TELEMETRY_TOPIC, encode(command), command.pipeline.encode(), self._partition)
        assert self._producer.flush(PATIENCE_S) == 0
        self.sent[command.id] = command
        if action is Action.MOVE:
            self.moves += 1
            self._moved[token] = lane or Lane.OVERFLOW
        else:
            self.restores += 1
            self._moved.pop(token, None)

    def _read(self) -> tuple[dict[str, list[Answer]], dict[str, Lane], Counter[str], list[tuple[str, int]]]:
        """Answers by command, the lane wanted last by token, how many answers name each verdict, and (command, ms) when answers were written; from the state topic, read_committed."""
        when: list[tuple[str, int]] = []
        answers: dict[str, list[Answer]] = {}
        routes: dict[str, Lane] = {}
        verdicts: Counter[str] = Counter()
        consumer = Consumer(
            self._stage.kafka.client(
                group_id="chaos-commander",
                enable_auto_commit=False,
                isolation_level="read_committed",
                enable_partition_eof=True,
            )
        )
        try:
            consumer.assign([TopicPartition(STATE_TOPIC, 0, OFFSET_BEGINNING)])
            deadline, more = time.monotonic() + 20, True
            while more and time.monotonic() < deadline:
                for message in consumer.consume(1_000, 0.2):
                    error = message.error()
                    if error is not None:
                        more = more and error.code() != KafkaError._PARTITION_EOF
                        continue
                    kind, _, rest = (message.key() or b"").decode().partition("/")
                    pipeline, _, name = rest.partition("/")
                    if pipeline != self._stage.pipeline.name or message.value() is None:
                        continue
                    if kind == "answer":
                        answer = Answer.decode(message.value() or b"")
                        answers.setdefault(name, []).append(answer)
                        when.append((name, message.timestamp()[1]))
                        if answer.verdict_id:
                            verdicts[answer.verdict_id] += 1
                    elif kind == "route" and name in COMMANDED:
                        routes[name] = Route.decode(message.value() or b"").lane
        finally:
            consumer.close()
        return answers, routes, verdicts, when


def _expired(at_ms: int, heard: Sequence[tuple[int, int]]) -> bool:
    """Were later commands answered, and all of them when one of `at_ms` was too old to be taken up? After a break what is older is not read again.

    `heard`: (when it was commanded, when it was answered), ms.
    """
    later = [answered for commanded, answered in heard if commanded > at_ms]
    return bool(later) and min(later) >= at_ms + LOOK_BACK_S * 1_000
