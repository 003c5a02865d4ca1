"""Directed schedules of crashes, take-overs and lost state: what a successor must know. They end with everything drained."""

from typing import Any, Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point
from tests.chaos.scene import Scene, Schedule
from tests.support import journal
from tests.support.orders import Fault

GENERAL, OVERFLOW, QUARANTINE = Lane.GENERAL, Lane.OVERFLOW, Lane.QUARANTINE


def takeover(s: Scene) -> None:
    """A worker forwards, commits without forwards, and dies; its successor must know what is in flight."""
    lane = s.stopped()
    victim = s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.stage.send(40, ("green",))
    s.through()
    s.kill(victim)
    s.route("red", GENERAL)
    s.general()
    s.stage.send(40, ("red",))
    s.joined()
    s.calm()
    s.thaw(lane)
    s.drain()


def zombie(s: Scene) -> None:
    """A worker stops before its transaction, another takes its partitions over and goes on, and the first wakes up."""
    s.side()
    s.route("red", OVERFLOW)
    first = s.general(fault=Fault(do="stop", at=Point.HANDLED))
    s.stage.send_until_stopped(first)
    s.general(slot="1")
    seen = len(journal.read(s.stage.journal))
    s.stage.send(100)
    s.stage.until_effects(seen + 100)
    s.thaw(first)
    s.stage.send(100)
    s.drain()


def pending_offsets(s: Scene) -> None:
    """A worker stops between sending its offsets and committing; another takes over, and the first commits after all."""
    s.side()
    s.route("red", OVERFLOW)
    first = s.general(fault=Fault(do="stop", at=Point.OFFSETS_SENT))
    s.stage.send_until_stopped(first)
    s.general(slot="1")
    s.joined(or_waits=True)  # the session times out after 2 s, the transaction much later
    s.calm(3.0)
    s.thaw(first)
    s.stage.send(40)
    s.drain()


def aborts(s: Scene) -> None:
    """Every second forwarding transaction aborts."""
    s.side(work_s=0.0)
    s.side(QUARANTINE, work_s=0.0)
    s.route("red", OVERFLOW)
    s.general(fault=Fault(do="abort", at=Point.FLUSHED, every=2))
    for _ in range(6):
        s.stage.send(40, ("red", "green"))
        s.calm(0.3)
    s.drain(15)


def unknown_but_applied(s: Scene) -> None:
    """Every forwarding transaction is committed, and the worker does not learn it."""
    lane = s.stopped()
    s.general(fault=Fault(do="unknown", at=Point.COMMITTED))
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.route("red", GENERAL)
    s.stage.send(40, ("red",))
    s.calm()
    s.thaw(lane)
    s.drain()


def dies_after_commit(s: Scene) -> None:
    """A worker dies right after a commit; another one goes on from what was committed."""
    s.side(work_s=0.0)
    s.route("red", OVERFLOW)
    s.stage.send(1_000, ("red", "green"))
    victim = s.general(fault=Fault(do="kill", at=Point.COMMITTED))
    s.stage.until("the worker dies", lambda: victim.poll() is not None)
    s.general()
    s.drain(15)


def metadata_lost(s: Scene) -> None:
    """An operator re-commits the offsets without F while a token is in flight and wanted back."""
    lane = s.stopped()
    victim = s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.kill(victim)
    s.lose_metadata()
    s.route("red", GENERAL)
    s.general()
    s.stage.send(40, ("red",))
    s.joined()
    s.calm(3.0)
    s.thaw(lane)
    s.drain()


def both_lanes_lost(s: Scene, then: Lane) -> None:
    """F is lost while tokens are in flight in both lanes, more of them in overflow; a token of quarantine is wanted elsewhere."""
    quarantine = s.stopped(QUARANTINE)
    overflow = s.stopped()
    victim = s.general()
    s.route("red", QUARANTINE)
    s.route("blue", OVERFLOW)
    s.stage.send(90, ("red", "blue", "blue"))
    s.forwarded(QUARANTINE)
    s.kill(victim)
    s.lose_metadata()
    s.route("red", then)
    s.general()
    s.stage.send(30, ("red",))
    s.joined()
    s.calm(4.0)
    s.thaw(overflow)
    s.stage.until("overflow is through", lambda: s.stage.lags()["overflow"] == 0)
    s.thaw(quarantine)
    s.drain()


def lost_and_timed_out(s: Scene) -> None:
    """... it is wanted back, and the hold lasts longer than a hold may."""
    both_lanes_lost(s, GENERAL)


def lost_and_moved_on(s: Scene) -> None:
    """... it is wanted in the other lane."""
    both_lanes_lost(s, OVERFLOW)


def lost_behind_an_open_transaction(s: Scene) -> None:
    """A token is in flight behind a dead slot's open transaction, which holds the lane's last stable offset back; F is lost, and it is wanted back."""
    s.side()
    s.stage.until("the lane has a commit", lambda: s.commits(OVERFLOW) == s.stage.pipeline.partitions)
    s.route("red", OVERFLOW)
    first = s.general(fault=Fault(do="kill", at=Point.FLUSHED))
    s.stage.send(20, ("red",), keys=1)
    s.stage.until("the worker dies", lambda: first.poll() is not None)
    second = s.general(slot="1")
    s.through()
    s.kill(second)
    s.lose_metadata()
    s.route("red", GENERAL)
    s.general(slot="1")
    s.stage.send(20, ("red",), keys=1)
    s.joined()
    s.calm(3.0)
    s.general(slot="0")  # ends the transaction
    s.drain()


def hang(s: Scene) -> None:
    """A handler hangs while another token is in flight; the worker leaves, is started again, and that token is wanted back."""
    lane = s.stopped()
    s.side(QUARANTINE)
    victim = s.general(hang="green")
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red",))
    s.forwarded()
    s.stage.send(40, ("green", "blue"))
    s.stage.until("the worker leaves", lambda: victim.poll() is not None)
    s.route("red", GENERAL)
    s.general()
    s.stage.send(40, ("red",))
    s.joined()
    s.calm(3.0)
    s.thaw(lane)
    s.drain()


def hang_again(s: Scene) -> None:
    """A handler hangs twice on a record of one key while quarantine stands still: the third worker sends its token there."""
    lane = s.stopped(QUARANTINE)
    s.stage.send(40, ("green",), keys=1)
    for _ in range(2):
        victim = s.general(hang="green", hangs=2)
        s.stage.until("the worker leaves", lambda v=victim: v.poll() is not None)  # type: ignore[misc]
    s.general(hang="green", hangs=2)
    s.forwarded(QUARANTINE)
    s.calm()
    s.thaw(lane)
    s.drain()


def aborted_forwards_only(s: Scene) -> None:
    """The lane holds nothing but aborted forwards, and F is lost: the lane must drain all the same."""
    s.side()
    s.route("red", OVERFLOW)
    victim = s.general(fault=Fault(do="abort", at=Point.FLUSHED))
    s.stage.send(40, ("red",))
    s.written()
    s.kill(victim)
    s.route("red", GENERAL)
    s.lose_metadata()
    s.general()
    s.drain(15)


def forwards_and_lost_metadata(s: Scene) -> None:
    """The lane ends with a transaction marker, and F is lost: the lane must drain all the same."""
    s.side()
    s.route("red", OVERFLOW)
    victim = s.general()
    s.stage.send(40, ("red",))
    s.through()
    s.kill(victim)
    s.lose_metadata()
    s.route("red", GENERAL)
    s.general()
    s.stage.send(40, ("red",))
    s.drain(15)


def late_lane(s: Scene) -> None:
    """A lane's worker starts for the first time when forwards already wait there."""
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.side()
    s.drain()


def offsets_deleted(s: Scene) -> None:
    """General's group is deleted and its log trimmed while a token is in flight and wanted back."""
    lane = s.stopped()
    victim = s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red",))
    s.forwarded()
    s.kill(victim)
    names = s.stage.pipeline.names
    admin = AdminClient(s.stage.kafka.client())  # short-lived
    ends = [TopicPartition(names.topic(GENERAL), p, -1) for p in range(s.stage.pipeline.partitions)]
    for answer in admin.delete_records(ends).values():
        answer.result(10)
    s.stage.until("the group is deleted", lambda: _deleted(admin, names.group(GENERAL)))
    s.route("red", GENERAL)
    s.general()
    s.stage.send(40, ("red",))
    s.joined()
    s.calm(3.0)
    s.thaw(lane)
    s.drain()


def _deleted(admin: AdminClient, group: str) -> bool:
    try:
        admin.delete_consumer_groups([group])[group].result(10)
    except Exception:
        return False  # it still has a member
    return True


SETTINGS: Final[dict[Schedule, dict[str, Any]]] = {
    pending_offsets: {"transaction_timeout_s": 60.0},
    lost_behind_an_open_transaction: {"transaction_timeout_s": 50.0},
    hang: {"hung_s": 1.0},
    hang_again: {"hung_s": 1.0, "partitions": 1},
}
"""Settings of the pipeline that a schedule needs."""
