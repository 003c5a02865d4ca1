"""Several controllers, several pipelines: one owner each, pipelines of a dead one are taken over, a zombie writes nothing."""

import signal
import time
import uuid
from collections.abc import Iterator

import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.lanes.topics import ensure_topics
from isolator.membership import place_of
from isolator.state import StateReader
from tests.support.control import Feed, Governors, eventually, moves
from tests.support.governor import Strike

pytestmark = pytest.mark.kafka


@pytest.fixture
def names(kafka: LocalKafka) -> tuple[str, ...]:
    """Six pipelines, three in each half of the telemetry's partitions, which is how a group of two shares them; only what the controller needs of them exists."""
    ensure_topics(kafka.admin(), PipelineConfig(name="whoever", partitions=1, replication=1), local=True)
    count = len(kafka.admin().list_topics(TELEMETRY_TOPIC, timeout=10).topics[TELEMETRY_TOPIC].partitions)
    halves: tuple[list[str], list[str]] = ([], [])
    while min(len(half) for half in halves) < 3:
        one = f"t{uuid.uuid4().hex[:10]}"
        halves[2 * place_of(one, count) // count].append(one)
    return (*halves[0][:3], *halves[1][:3])


@pytest.fixture
def feeds(kafka: LocalKafka, names: tuple[str, ...]) -> Iterator[dict[str, Feed]]:
    """Telemetry of each."""
    some = {name: Feed(kafka, name) for name in names}
    for one in some.values():
        one.start()
    yield some
    for one in some.values():
        one.end()


def test_each_pipeline_has_one_owner_and_another_one_when_that_is_killed(
    kafka: LocalKafka, names: tuple[str, ...], feeds: dict[str, Feed], governors: Governors
) -> None:
    states = StateReader(kafka.config().client(), names)

    def decided_since(ms: int) -> bool:
        states.poll(0.05)
        return all((s := states.status(name)) is not None and s.at_ms > ms for name in names)

    some = [governors.start(*names), governors.start(*names)]

    def spread() -> bool:
        held = [one.owned for one in some]
        return all(len(owned) == 3 for owned in held) and set.union(*held) == set(names)

    try:
        eventually(spread)
        eventually(lambda: decided_since(0))
        some[0].kill()
        killed_ms, killed = int(time.time() * 1000), time.monotonic()
        eventually(lambda: some[1].owned == set(names))
        eventually(lambda: decided_since(killed_ms))
        print(f"{len(names)} pipelines of a killed controller decided again after {time.monotonic() - killed:.1f} s")
        assert time.monotonic() - killed < 15.0
        some[0] = governors.start(*names)
        eventually(spread)
        joined_ms = int(time.time() * 1000)
        eventually(lambda: decided_since(joined_ms))
    finally:
        states.close()


def test_controllers_of_different_pipelines_leave_each_other_alone(
    kafka: LocalKafka, names: tuple[str, ...], governors: Governors
) -> None:
    """Each process knows one pipeline: in one group with the others it would be given partitions that it leaves alone."""
    some = {name: governors.start(name, mode="observe") for name in names[:3]}
    eventually(lambda: all(one.owned == {name} for name, one in some.items()))
    time.sleep(1.5)
    assert all(one.owned == {name} for name, one in some.items())
    assert not any(one.writes("fenced") for one in some.values())


def test_a_zombie_that_wakes_in_the_middle_of_a_move_cannot_write_it(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader, governors: Governors
) -> None:
    zombie = governors.start(name, strike=Strike(do="stop", of="route", at="before"))
    eventually(lambda: (reader.poll(0.05) or True) and (s := reader.status(name)) is not None and s.warm)
    feed.flooding.set()
    eventually(zombie.stopped)
    assert not moves(kafka, name, "flood")
    owner = governors.start(name)
    eventually(lambda: name in owner.owned)
    eventually(lambda: (reader.poll(0.05) or True) and reader.table(name).wanted("flood") is not Lane.GENERAL)
    first = moves(kafka, name, "flood")
    zombie.signal(signal.SIGCONT)
    eventually(lambda: zombie.writes("fenced") + zombie.writes("aborted") > 0)
    eventually(lambda: zombie.says.get("ready") is True)
    # one of the two is the owner, whichever the group prefers
    eventually(lambda: len(owner.owned) + len(zombie.owned) == 1)
    assert moves(kafka, name, "flood") == first
    assert len(first) == 1
