"""The workers of a run: which slots are wanted, which process plays each, and a keeper that starts anew whoever has died."""

import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from ingestion.contracts.names import Lane
from tests.support.orders import Fault
from tests.support.stage import Stage

RESTART_S = 0.5


@dataclass(slots=True)
class Role:
    """One slot of a lane."""

    lane: Lane
    slot: str
    name: str
    process: subprocess.Popen[bytes]
    wanted: bool = True
    busy: bool = False
    """A fault has it in hand: the keeper leaves it alone."""
    died_at: float = 0.0

    @property
    def running(self) -> bool:
        """Is the process there and not stopped?"""
        if self.process.poll() is not None:
            return False
        with suppress(psutil.Error):
            return psutil.Process(self.process.pid).status() != psutil.STATUS_STOPPED
        return False


class Cast:
    """Everybody who works. Called from several threads."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.roles: dict[tuple[Lane, str], Role] = {}
        self.restarts = 0
        self.exits: list[tuple[str, int]] = []
        """Workers that left by themselves with an exit code that is neither a signal nor 0."""
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def start(self, lane: Lane, slot: str, ordered: Fault | None = None) -> Role:
        """A worker in that slot, whoever was there before."""
        with self._lock:
            name, process = self.stage.named_worker(lane, slot, ordered=ordered)
            role = self.roles[lane, slot] = Role(lane, slot, name, process)
            return role

    def take(self, lane: Lane, pick: int) -> Role | None:
        """One that runs and is nobody's yet, for a fault; give it back."""
        with self._lock:
            free = [
                role
                for _, role in sorted(self.roles.items())
                if role.lane is lane and role.wanted and not role.busy and role.running
            ]
            if not free:
                return None
            role = free[pick % len(free)]
            role.busy = True
            return role

    def give_back(self, role: Role) -> None:
        """The fault is over."""
        with self._lock:
            role.busy = False

    def free_slot(self, lane: Lane, slots: int) -> str | None:
        """A slot of the lane that nobody plays."""
        with self._lock:
            free = [s for s in map(str, range(slots)) if (lane, s) not in self.roles]
            return free[0] if free else None

    def dismiss(self, role: Role) -> None:
        """It leaves for good: SIGTERM."""
        with self._lock:
            role.wanted = False
            del self.roles[role.lane, role.slot]
        role.process.send_signal(signal.SIGTERM)

    def count(self, lane: Lane) -> int:
        """Slots of the lane that are played."""
        with self._lock:
            return sum(role.lane is lane for role in self.roles.values())

    def end(self) -> None:
        """Nobody is started any more."""
        self._stop.set()
        self._keeper.join(10)

    def _keep(self) -> None:
        while not self._stop.wait(0.1):
            with self._lock:
                # a worker that is started without a broker only takes the processor away from the broker's own start
                for role in () if self.stage.away.is_set() else list(self.roles.values()):
                    code = role.process.poll()
                    if code is None or role.busy or not role.wanted:
                        continue
                    if not role.died_at:
                        role.died_at = time.monotonic()
                        if code > 0:
                            self.exits.append((role.name, code))
                    elif time.monotonic() - role.died_at > RESTART_S:
                        self.restarts += 1
                        self.start(role.lane, role.slot)
