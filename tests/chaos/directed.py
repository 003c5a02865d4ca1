"""Directed schedules of the fence: each brings about the one situation in which a broken rule does harm, and the true worker none. They end with everything drained."""

import threading
from typing import Any, Final

from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point
from tests.chaos.scene import Scene, Schedule
from tests.support import journal
from tests.support.orders import Fault

GENERAL, OVERFLOW, QUARANTINE = Lane.GENERAL, Lane.OVERFLOW, Lane.QUARANTINE


def early_return(s: Scene) -> None:
    """A token's backlog goes to a slow lane; the token is wanted back before that has drained, and sends more."""
    s.side(work_s=0.02)
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(150, ("red", "green"))
    s.stage.until("the backlog is forwarded", lambda: s.stage.lags()["overflow"] > 0)
    s.route("red", GENERAL)
    s.stage.send(60, ("red", "green"))
    s.drain()


def one_short(s: Scene) -> None:
    """The lane has committed exactly up to the last forward, and not that."""
    lane = s.side()
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(1, ("red",), keys=1)
    s.stage.until("the lane is through", lambda: s.stage.lags()["overflow"] == 0 and journal.read(s.stage.journal))
    s.freeze(lane)
    s.stage.send(1, ("red",), keys=1)
    s.forwarded()
    s.route("red", GENERAL)
    s.stage.send(3, ("red",), keys=1)
    s.calm()
    s.thaw(lane)
    s.drain()


def stuck_stable_offset(s: Scene) -> None:
    """A dead worker's open transaction holds the lane's last stable offset back while another slot forwards behind it."""
    s.side()
    s.stage.until("the lane has a commit", lambda: s.commits(OVERFLOW) == s.stage.pipeline.partitions)
    s.route("red", OVERFLOW)
    victim = s.general(fault=Fault(do="kill", at=Point.FLUSHED))
    s.stage.send(20, ("red",), keys=1)
    s.stage.until("the worker dies", lambda: victim.poll() is not None)
    s.general(slot="1")
    s.through()
    s.route("red", GENERAL)
    s.stage.send(20, ("red",), keys=1)
    s.calm()
    s.general(slot="0")  # ends the transaction
    s.drain()


def one_hash(s: Scene, then: Lane) -> None:
    """Two tokens that F cannot tell apart are wanted in two lanes in one chunk; then one of them is wanted elsewhere."""
    quarantine = s.stopped(QUARANTINE)
    overflow = s.stopped()
    s.route("red", QUARANTINE)
    s.route("blue", OVERFLOW)
    s.stage.send(40, ("red", "blue", "blue"), keys=1)
    s.general()
    s.stage.until("a lane has forwards", lambda: s.stage.lags()["overflow"] + s.stage.lags()["quarantine"] > 0)
    s.through()
    s.route("red", then)
    s.stage.send(20, ("red",), keys=1)
    s.calm(3.0)
    s.thaw(overflow)
    s.stage.until("overflow is through", lambda: s.stage.lags()["overflow"] == 0)
    s.calm(1.0)
    s.thaw(quarantine)
    s.drain()


def one_hash_moved_on(s: Scene) -> None:
    """... in the other lane."""
    one_hash(s, OVERFLOW)


def one_hash_timed_out(s: Scene) -> None:
    """... in general, and the hold lasts longer than a hold may."""
    one_hash(s, GENERAL)


def lane_to_lane(s: Scene) -> None:
    """A token in flight in one lane is wanted in the other."""
    overflow = s.stopped()
    s.side(QUARANTINE)
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.route("red", QUARANTINE)
    s.stage.send(40, ("red",))
    s.calm()
    s.thaw(overflow)
    s.drain()


def one_chunk(s: Scene) -> None:
    """A token's backlog is taken in one chunk while its lane stands still."""
    lane = s.stopped()
    s.route("red", OVERFLOW)
    s.stage.send(100, ("red", "green"))
    s.general()
    s.forwarded()
    s.thaw(lane)
    s.drain()


def route_changes_in_the_buffer(s: Scene) -> None:
    """Records of a token are fetched before and after its route changes back, and taken later."""
    lane = s.stopped()
    s.general(work_s=0.03)
    s.stage.send(3, ("green",), keys=1)
    s.through()
    s.stage.send(80, ("green",), keys=1)
    s.route("red", OVERFLOW)
    s.calm(0.5)
    s.stage.send(20, ("red",), keys=1)
    s.calm(0.5)
    s.route("red", GENERAL)
    s.stage.send(20, ("red",), keys=1)
    s.calm(5.0)
    s.thaw(lane)
    s.drain()


def held(s: Scene) -> None:
    """A token that is wanted back is held; its own later records, its other keys and other tokens stand behind it."""
    lane = s.stopped()
    s.side(QUARANTINE)
    victim = s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.route("blue", QUARANTINE)
    s.route("red", GENERAL)
    s.stage.send(60, ("red", "blue", "green"))
    s.calm(2.0)
    s.kill(victim)
    s.thaw(lane)
    s.general()
    s.drain()


def arrivals_go_on(s: Scene) -> None:
    """A token is wanted back while it sends without a pause, and its lane commits a quarter of a second late."""
    s.side(batch_s=0.25, work_s=0.0)
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(60, ("red",), keys=1)
    s.forwarded()
    stop = threading.Event()

    def arrive() -> None:
        while not stop.wait(0.02):
            s.stage.send(1, ("red",), keys=1)

    thread = threading.Thread(target=arrive, daemon=True)
    thread.start()
    try:
        s.calm(1.0)
        s.route("red", GENERAL)
        s.eventually("the token is back in general", lambda: _in_general(s, "red"))
    finally:
        stop.set()
        thread.join(10)
    s.drain()


def retries(s: Scene) -> None:
    """Every record of a token is retried once; records of a moved token stand behind it."""
    s.side()
    s.route("green", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.general(retry="red")
    s.drain()


def routes_for_lanes(s: Scene) -> None:
    """A token that waits in overflow is wanted in quarantine: overflow must handle it, not forward it."""
    overflow = s.stopped()
    s.side(QUARANTINE)
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(40, ("red", "green"))
    s.forwarded()
    s.route("red", QUARANTINE)
    s.thaw(overflow)
    s.drain()


def tokenless(s: Scene) -> None:
    """Records of one key come with and without a token."""
    lane = s.stopped()
    s.general()
    s.route("red", OVERFLOW)
    s.stage.send(20, ("red",), keys=1)
    s.forwarded()
    s.stage.send(20, ("",), keys=1)
    s.calm()
    s.thaw(lane)
    s.drain()


def _in_general(s: Scene, token: str) -> bool:
    return any(e.token == token and e.lane is GENERAL for e in journal.read(s.stage.journal))


SETTINGS: Final[dict[Schedule, dict[str, Any]]] = {
    stuck_stable_offset: {"transaction_timeout_s": 50.0},
    held: {"hold_max_s": 30.0, "partitions": 1},
    one_hash_moved_on: {"partitions": 1},
    one_hash_timed_out: {"partitions": 1},
    arrivals_go_on: {"hold_max_s": 3.0, "partitions": 1, "chunk_s": 1.0},
    retries: {"partitions": 1},
}
"""Settings of the pipeline that a schedule needs."""
