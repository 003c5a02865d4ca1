"""Sends a person's command to the controller and waits for its answer."""

import getpass
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import Action, Command, encode
from isolator.answers import Answer
from isolator.state import StateReader
from slo.clock import Clock
from slo.errors import BrokerUnreachable, Conflict, FairlaneError, NoController, UsageError

WAIT_S: Final = 10.0


def command(
    pipeline: str,
    action: Action,
    clock: Clock,
    *,
    by: str = "",
    reason: str = "",
    token: str = "",
    lane: Lane | None = None,
    mode: str = "",
    for_s: float | None = None,
) -> Command:
    """A command of now; `by` defaults to the OS user, `for_s` is how long it shall hold."""
    now_ms = int(clock.now() * 1000)
    expires = None if for_s is None else now_ms + int(for_s * 1000)
    return Command(pipeline, now_ms, uuid.uuid4().hex, action, by or _user(), reason, token, lane, mode, expires)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's uid without a name
        return "unknown"


def send(kafka: Mapping[str, Any], wanted: Command, wait_s: float | None = None) -> Answer:
    """Send it and wait (WAIT_S by default) until `fairlane.state` holds the answer.

    Raises NoController when none comes within `wait_s`, Conflict or UsageError when it was refused, FairlaneError when the controller failed on it, BrokerUnreachable when Kafka does not take it.
    """
    wait_s = WAIT_S if wait_s is None else wait_s
    deadline = time.monotonic() + wait_s
    reader = StateReader(kafka, [wanted.pipeline], from_end=True)
    try:
        _produce(kafka, wanted, wait_s)
        while time.monotonic() < deadline:
            reader.poll(0.1)
            answer = reader.view(wanted.pipeline).answers.get(wanted.id)
            if answer is not None:
                return _accepted(answer)
    finally:
        reader.close()
    raise NoController(
        f"no controller of pipeline {wanted.pipeline} answered `{wanted.action}` within {wait_s:g} s: is one running "
        "(`fairlane serve controller`, `fairlane up`), with this kafka.bootstrap and pipeline.name?"
    )


def _accepted(answer: Answer) -> Answer:
    if answer.ok:
        return answer
    kinds: dict[str, type[FairlaneError]] = {"usage": UsageError, "internal": FairlaneError}
    raise kinds.get(answer.problem, Conflict)(answer.message)


def _produce(kafka: Mapping[str, Any], wanted: Command, wait_s: float) -> None:
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer({**kafka, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
    try:
        count = len(producer.list_topics(TELEMETRY_TOPIC, timeout=wait_s).topics[TELEMETRY_TOPIC].partitions)
        if not count:
            raise BrokerUnreachable(
                f"{TELEMETRY_TOPIC} does not exist: run `fairlane doctor`, or start the pipeline once"
            )
        key = wanted.pipeline.encode()
        producer.produce(
            TELEMETRY_TOPIC, key=key, value=encode(wanted), partition=crc32(key) % count, on_delivery=delivered
        )
        left = producer.flush(wait_s)
    except KafkaException as error:
        raise BrokerUnreachable(
            f"Kafka did not take the command: {error.args[0].str()}; check kafka.bootstrap"
        ) from error
    if failures or left:
        why = failures[0].str() if failures else f"no answer within {wait_s:g} s"
        raise BrokerUnreachable(f"Kafka did not take the command: {why}; check kafka.bootstrap")
