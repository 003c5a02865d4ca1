"""Carrying out a plan's steps on a running pipeline, several at a time, and counting those that were really injected."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import psutil

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point
from slo.errors import StackUnavailable
from tests.chaos.cast import Cast, Role
from tests.chaos.commander import Commander
from tests.chaos.plan import GENERAL_SLOTS, OVERFLOW_SLOTS, Kind, Schedule, Step
from tests.support.orders import Fault
from tests.support.proxy import Proxy, Trouble
from tests.support.stage import Stage

WAIT_S: Final = 25.0
"""An order that its worker has not come to by then, not counting the time in which the broker was away, is withdrawn and not counted as a fault."""

_OPPOSITE: Final = {Kind.JOIN: Kind.LEAVE, Kind.LEAVE: Kind.JOIN}
OUTAGE_S: Final = 8.0
"""So much of an outage of the broker belongs to the plan."""
_TICK_S: Final = 0.05

Say = Callable[[str], None]


class Strikes:
    """Runs a schedule's steps in threads of their own. `done`: what was injected; `missed`: what did not come about."""

    def __init__(
        self, stage: Stage, kafka: LocalKafka, proxy: Proxy, cast: Cast, commander: Commander, say: Say
    ) -> None:
        self.done: Counter[str] = Counter()
        self.kinds: Counter[Kind] = Counter()
        self.missed: Counter[Kind] = Counter()
        self.failures: list[str] = []
        self.gone = ""
        """Why the broker did not come back: then the run shows nothing."""
        self._stage = stage
        self._kafka = kafka
        self._proxy = proxy
        self._cast = cast
        self._commander = commander
        self._say = say
        self._away = 0.0
        """Since when the broker is away (monotonic seconds), 0.0 while it is there."""
        self._patience = 0.0
        """Seconds since the start in which the broker was there: what orders wait by."""
        self._broker = threading.Lock()
        self._control = threading.Lock()
        self._count = threading.Lock()

    def run(self, schedule: Schedule) -> None:
        """All steps at their times; returns when the last one is over."""
        threads: list[threading.Thread] = []
        elapsed = 0.0
        over = threading.Event()
        clock = threading.Thread(target=self._wait, args=(over,), name="patience", daemon=True)
        clock.start()
        for step in schedule.steps:
            while elapsed < step.at_s and not self.gone:
                time.sleep(_TICK_S)
                # on a busy machine a broker takes its time to come back: the plan waits for it
                if not self._away or time.monotonic() - self._away < OUTAGE_S:
                    elapsed += _TICK_S
            if self.gone:
                break
            thread = threading.Thread(target=self._step, args=(step,), name=str(step.kind), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(240)
            if thread.is_alive():
                self.failures.append(f"the fault {thread.name} did not end")
        over.set()
        clock.join()

    def _wait(self, over: threading.Event) -> None:
        while not over.wait(_TICK_S):
            if not self._away:
                self._patience += _TICK_S

    def _step(self, step: Step) -> None:
        began = time.monotonic()
        kind = step.kind
        try:
            detail = self._strike(step)
            if detail is None and kind in _OPPOSITE:  # nobody may leave, or no slot is free: a rebalance all the same
                kind = _OPPOSITE[kind]
                detail = self._strike(replace(step, kind=kind))
        except Exception as error:
            self.failures.append(f"{step}: {type(error).__name__}: {error}")
            return
        with self._count:
            if detail is None:
                self.missed[step.kind] += 1
            else:
                self.kinds[kind] += 1
                self.done[f"{kind} {detail}".strip()] += 1
        took = time.monotonic() - began
        self._say(f"  {step}: {'did not come about' if detail is None else detail or 'done'} ({took:.1f} s)")

    def _strike(self, step: Step) -> str | None:
        """Do it; what was done in words, None when it did not come about."""
        match step.kind:
            case Kind.JOIN:
                return self._join(step.lane)
            case Kind.LEAVE:
                return self._leave(step)
            case Kind.BROKER:
                return self._kill_broker(step.seconds)
            case Kind.CONTROLLER:
                with self._control:
                    point = Point.COMMITTED if step.pick % 2 else Point.PRODUCED
                    return f"at {point}" if self._commander.kill(point) else None
            case Kind.DELAY:
                self._proxy.trouble(Trouble.DELAY, step.seconds, delay_s=0.1 + 0.05 * step.pick)
                time.sleep(step.seconds)
                return ""
            case Kind.CUT_ALL:
                return "" if self._proxy.trouble(Trouble.CUT, 0.0) else None
            case _:
                return self._at_point(step)

    def _join(self, lane: Lane) -> str | None:
        slot = self._cast.free_slot(lane, GENERAL_SLOTS if lane is Lane.GENERAL else OVERFLOW_SLOTS)
        if slot is None:
            return None
        self._cast.start(lane, slot)
        return str(lane)

    def _leave(self, step: Step) -> str | None:
        role = self._victim(step) if self._cast.count(step.lane) > 1 else None
        if role is None:
            return None
        if self._cast.count(step.lane) < 2:  # the other one has left meanwhile
            self._cast.give_back(role)
            return None
        self._cast.dismiss(role)
        return str(step.lane)

    def _kill_broker(self, down_s: float) -> str:
        with self._broker:
            self._away = time.monotonic()
            self._stage.away.set()
            try:
                self._kafka.kill()
                time.sleep(down_s)
                self._kafka.restart()
            except StackUnavailable as error:
                self.gone = str(error)
            finally:
                self._away = 0.0
                self._stage.away.clear()
        return ""

    def _at_point(self, step: Step) -> str | None:
        assert step.point is not None
        fault = Fault(
            do={Kind.REPLACE: "stop"}.get(step.kind, str(step.kind)),
            at=step.point,
            only_forwards=step.forwarding and step.point is not Point.ASSIGNED,
            seconds=step.seconds,
        )
        fresh = step.point is Point.ASSIGNED
        role = self._newcomer(step, fault) if fresh else self._victim(step)
        if role is None:
            return None
        try:
            if not fresh:
                self._stage.orders.place(role.name, fault)
            if not self._struck(role):
                return None
            self._aftermath(step, role)
        finally:
            self._cast.give_back(role)
        return f"{step.lane} at {step.point}"

    def _victim(self, step: Step) -> Role | None:
        """A worker for it; waits for one when all are down or in some other fault's hands."""
        end = self._patience + WAIT_S
        while (role := self._cast.take(step.lane, step.pick)) is None and self._patience < end:
            time.sleep(0.1)
        return role

    def _newcomer(self, step: Step, fault: Fault) -> Role | None:
        """A worker that breaks between its assignment and its first chunk: it joins, or takes the place of one that is killed."""
        slot = self._cast.free_slot(step.lane, GENERAL_SLOTS if step.lane is Lane.GENERAL else OVERFLOW_SLOTS)
        if slot is None or step.lane is Lane.QUARANTINE:
            role = self._victim(step)
            if role is None:
                return None
            role.process.kill()
            role.process.wait(10)
            slot = role.slot
        role = self._cast.start(step.lane, slot, ordered=fault)
        role.busy = True
        return role

    def _struck(self, role: Role) -> bool:
        """Has the worker carried its order out? Else it is withdrawn."""
        end = self._patience + WAIT_S
        while self._stage.orders.open(role.name):
            if role.process.poll() is not None:
                return not self._stage.orders.withdraw(role.name)
            if self._patience > end:
                role.process.send_signal(signal.SIGUSR1)  # it says in its log where it is
                return not self._stage.orders.withdraw(role.name)
            time.sleep(0.02)
        return True

    def _aftermath(self, step: Step, role: Role) -> None:
        if step.kind is Kind.KILL:
            role.process.wait(10)
        elif step.kind is Kind.STOP:
            _until_stopped(role)
            time.sleep(step.seconds)
            role.process.send_signal(signal.SIGCONT)
        elif step.kind is Kind.REPLACE:
            _until_stopped(role)
            self._cast.start(role.lane, role.slot)
            time.sleep(step.seconds)
            role.process.send_signal(signal.SIGCONT)
            time.sleep(2.0)
            role.process.send_signal(signal.SIGTERM)
        elif step.kind in {Kind.HALF_OPEN, Kind.STALL}:
            time.sleep(step.seconds)


def _until_stopped(role: Role) -> None:
    there = psutil.Process(role.process.pid)
    deadline = time.monotonic() + 5
    with suppress(psutil.Error):
        while there.status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
            time.sleep(0.01)
