"""A controller that is killed, mid-move and at random: the next one knows all from Kafka, moves nobody twice and answers everybody once."""

import random
import signal
import threading
import time
from collections import Counter

import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Action
from isolator import commands
from isolator.answers import Answer
from isolator.membership import SESSION_S
from isolator.state import StateReader
from slo.clock import SystemClock
from slo.errors import FairlaneError
from tests.support.control import Feed, Governor, Governors, eventually, history, moves
from tests.support.governor import Strike

pytestmark = pytest.mark.kafka
READY_S = 15.0
"""Killed to ready again, at most."""


def seen(reader: StateReader) -> StateReader:
    reader.poll(0.05)
    return reader


def ask(kafka: LocalKafka, name: str, action: Action, wait_s: float = 20.0, **details: str) -> Answer:
    wanted = commands.command(name, action, SystemClock(), by="test", **details)  # type: ignore[arg-type]
    return commands.send(kafka.config().client(), wanted, wait_s)


def dead(governor: Governor) -> bool:
    return governor.process.poll() == -signal.SIGKILL


def warm(reader: StateReader, name: str) -> bool:
    return (status := seen(reader).status(name)) is not None and status.warm and not status.stale


@pytest.mark.parametrize(("at", "session_s"), [("before", SESSION_S), ("after", 1.5)], ids=["before", "after"])
def test_killed_at_the_commit_of_a_move_nobody_is_moved_twice_or_forgotten(
    kafka: LocalKafka,
    name: str,
    feed: Feed,
    reader: StateReader,
    governors: Governors,
    at: str,
    session_s: float,
) -> None:
    """Once with the session time of production, which is what the others wait for before they take over."""
    first = governors.start(name, session_s=session_s, strike=Strike(do="kill", of="route", at=at))
    eventually(lambda: warm(reader, name))
    feed.flooding.set()
    eventually(lambda: dead(first))
    killed_ms, killed = int(time.time() * 1000), time.monotonic()
    second = governors.start(name, session_s=session_s)
    time.sleep(0.3)
    assert (seen(reader).table(name).wanted("flood") is not Lane.GENERAL) == (at == "after")
    eventually(lambda: second.says.get("ready") is True and name in second.owned)
    eventually(lambda: seen(reader).status(name).at_ms > killed_ms + 100)  # type: ignore[union-attr]
    took = time.monotonic() - killed
    print(f"killed {at} the commit of a move to decided again: {took:.1f} s, session time {session_s:g} s")
    assert took < READY_S
    eventually(lambda: seen(reader).table(name).wanted("flood") is not Lane.GENERAL)
    decided_ms = reader.status(name).at_ms  # type: ignore[union-attr]
    eventually(lambda: seen(reader).status(name).at_ms > decided_ms + 2_000)  # type: ignore[union-attr]
    assert len(moves(kafka, name, "flood")) == 1
    assert [v.token for v in reader.verdicts(name) if v.kind == "move"] == ["flood"]
    assert reader.status(name).moved == ("flood",)  # type: ignore[union-attr]


def test_a_command_whose_controller_is_killed_over_it_is_answered_once(
    kafka: LocalKafka, name: str, feed: Feed, governors: Governors
) -> None:
    answers: list[Answer] = []
    for token, at in (("quiet-3", "before"), ("quiet-4", "after")):
        one = governors.start(name, strike=Strike(do="kill", of="answer", at=at), mode="observe")
        eventually(lambda one=one: name in one.owned)  # type: ignore[misc]
        asking = threading.Thread(
            target=lambda token=token: answers.append(ask(kafka, name, Action.MOVE, token=token)), daemon=True
        )
        asking.start()
        eventually(lambda one=one: dead(one))  # type: ignore[misc]
        if at == "after":
            # the answer stands in Kafka: nobody needs to live for it
            asking.join(5)
        else:
            governors.start(name, mode="observe")
            asking.join(25)
            governors.all[-1].kill()
    last = governors.start(name, mode="observe")
    assert [answer.ok for answer in answers] == [True, True]
    eventually(lambda: name in last.owned)
    # whatever is read again is behind this one
    ask(kafka, name, Action.PROTECT, token="quiet-5")
    counted = Counter(key for key, _ in history(kafka) if key.startswith(f"answer/{name}/"))
    assert [counted[f"answer/{name}/{answer.id}"] for answer in answers] == [1, 1]
    assert [len(moves(kafka, name, token)) for token in ("quiet-3", "quiet-4")] == [1, 1]


def test_killed_at_random_every_command_is_carried_out_and_answered_once(
    kafka: LocalKafka, name: str, feed: Feed, governors: Governors
) -> None:
    chance, stop = random.Random(20), threading.Event()
    sent: dict[str, str] = {}
    """command id to token"""
    lost: list[str] = []

    def asking() -> None:
        number = 0
        while not stop.is_set():
            token = f"by-hand-{number}"
            wanted = commands.command(name, Action.MOVE, SystemClock(), by="test", token=token, lane=Lane.OVERFLOW)
            sent[wanted.id] = token
            try:
                commands.send(kafka.config().client(), wanted, 30.0)
            except FairlaneError as error:
                lost.append(f"{token}: {error}")
            number += 1

    governors.start(name, mode="observe")
    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    for _ in range(4):
        eventually(lambda: name in governors.all[-1].owned)
        time.sleep(chance.uniform(0.0, 1.2))
        governors.all[-1].kill()
        governors.start(name, mode="observe")
    eventually(lambda: name in governors.all[-1].owned)
    # on a loaded machine fewer were sent by now
    eventually(lambda: len(sent) > 10)
    stop.set()
    thread.join(35)
    assert not thread.is_alive()
    assert not lost
    told = history(kafka)
    answered = Counter(key for key, _ in told if key.startswith(f"answer/{name}/"))
    assert answered == {f"answer/{name}/{command}": 1 for command in sent}
    moved = Counter(key for key, value in told if key.startswith(f"route/{name}/by-hand-"))
    assert moved == {f"route/{name}/{token}": 1 for token in sent.values()}
