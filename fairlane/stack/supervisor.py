"""One child process per role: started, watched, started again with back-off when it dies, and stopped within a limit."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.error import URLError
from urllib.request import urlopen

from fairlane.roles.http import listen
from fairlane.settings import Settings
from fairlane.stack import role_specs, running
from fairlane.stack.lock import FileLock, Held
from fairlane.stack.paths import writable
from fairlane.stack.ports import free_ports
from fairlane.stack.process import ChildProcess
from fairlane.stack.role_specs import RoleSpec
from slo.errors import FairlaneError, StateDirectoryError, Unreachable

STOP_LIMIT_S: Final = 10.0
BACKOFF_S: Final = (0.5, 15.0)
"""First and longest wait before a role that died is started again; doubled each time."""
STEADY_S: Final = 30.0
"""A role that ran this long starts again at the first back-off."""
RESTART_ME: Final = 75
"""Exit code of a worker with a hung handler: started again at once."""
HOPELESS: Final = 3
"""Deaths before the first readiness after which `wait_ready` gives up."""
_KEPT_VARIABLES: Final = ("FAIRLANE_CACHE",)


@dataclass(slots=True)
class _Child:
    spec: RoleSpec
    port: int
    url: str
    log: Path
    process: ChildProcess | None = None
    started_at: float = 0.0
    again_at: float = 0.0
    backoff_s: float = BACKOFF_S[0]
    restarts: int = 0
    early_deaths: int = 0
    was_ready: bool = False
    last_code: int | None = field(default=None)


class Supervisor:
    """Runs `roles` as child processes on the Kafka that `settings.kafka.bootstrap` names; a context manager.

    The children read the effective configuration from a file, and inherit no FAIRLANE_ setting. `report` gets a line whenever a role dies or comes back.
    `overrides` maps a role's name to settings of its own (dotted path to value).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        roles: Sequence[RoleSpec] = role_specs.ALL,
        broker_version: str = "",
        report: Callable[[str], None] = lambda _line: None,
        overrides: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self._settings = settings
        self._specs = tuple(roles)
        self._broker_version = broker_version
        self._report = report
        self._overrides = overrides or {}
        self._state_dir = settings.state_dir
        self._config = settings.state_dir / "run" / "fairlane.toml"
        self._children: dict[str, _Child] = {}
        self._stopping = threading.Event()
        self._mutex = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._lock: FileLock | None = None

    def start(self) -> Self:
        """Start every role and watch them; does not wait until they are ready.

        Raises StateDirectoryError when the state directory cannot be used or another supervisor uses it, ConfigError when a port is taken.
        """
        writable(self._state_dir)
        self._take()
        try:
            (self._state_dir / "log").mkdir(exist_ok=True)
            self._write_config()
            self._stopping.clear()
            self._children = {
                spec.name: self._child(spec, port) for spec, port in zip(self._specs, self._ports(), strict=True)
            }
            for child in self._children.values():
                self._launch(child)
            self._publish()
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()
        return self

    def wait_ready(self, limit_s: float = 60.0) -> float:
        """Wait until every role says that it is ready; returns the seconds it took.

        Raises FairlaneError with the role's last words when one cannot start, Unreachable when the limit passes.
        """
        began = time.monotonic()
        while True:
            waiting = [name for name, child in self._children.items() if not self._ready(child)]
            if not waiting:
                return time.monotonic() - began
            for name, child in self._children.items():
                if not child.was_ready and child.early_deaths >= HOPELESS:
                    raise FairlaneError(
                        f"{name} cannot start (exit {child.last_code}): {last_words(child.log)}. See {child.log}"
                    )
            if time.monotonic() - began > limit_s:
                logs = ", ".join(str(self._children[name].log) for name in waiting)
                raise Unreachable(f"{', '.join(waiting)} not ready after {limit_s:.0f} s: see {logs}")
            self._stopping.wait(0.1)

    def stop(self) -> None:
        """SIGTERM to all, STOP_LIMIT_S seconds, SIGKILL to the rest. May be called again."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
            self._watcher = None
        with self._mutex:
            processes = [child.process for child in self._children.values() if child.process is not None]
            threads = [threading.Thread(target=process.stop, args=(STOP_LIMIT_S,)) for process in processes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for child in self._children.values():
                child.process = None
        if self._lock is not None:
            running.forget(self._state_dir)
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        """Start unless it has been started."""
        return self if self._watcher is not None else self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def urls(self) -> dict[str, str]:
        """Role to `http://HOST:PORT`: the events' door, the pages, and the others' health."""
        return {name: child.url for name, child in self._children.items()}

    @property
    def restarts(self) -> dict[str, int]:
        """Role to how often it was started again."""
        return {name: child.restarts for name, child in self._children.items()}

    def pid(self, role: str) -> int:
        """The role's process id now. Raises KeyError for a role that is not run, RuntimeError while it is down."""
        process = self._children[role].process
        if process is None or process.returncode() is not None:
            raise RuntimeError(f"{role} is down")
        return process.pid

    def log(self, role: str) -> Path:
        """The role's log file."""
        return self._children[role].log

    def _take(self) -> None:
        lock = FileLock(self._state_dir / ".supervisor.lock")
        try:
            lock.acquire(wait_s=1.0)
        except Held as held:
            raise StateDirectoryError(
                f"fairlane already runs with the state directory {self._state_dir} (process {held.pid}): stop that one first, or give another "
                "directory with --state-dir"
            ) from held
        self._lock = lock

    def _write_config(self) -> None:
        self._config.parent.mkdir(exist_ok=True)
        # it may hold passwords
        descriptor = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self._settings.dump())

    def _ports(self) -> list[int]:
        """A fixed port per role, so that a role comes back where it was."""
        wanted = [
            int(getattr(self._settings, spec.section).port) if spec.section != "health" else 0 for spec in self._specs
        ]
        spare = iter(free_ports(len(wanted)))
        ports = [port or next(spare) for port in wanted]
        for spec, port in zip(self._specs, ports, strict=True):
            listen(self._host(spec), port, spec.section).close()
        return ports

    def _host(self, spec: RoleSpec) -> str:
        return str(getattr(self._settings, spec.section).host)

    def _child(self, spec: RoleSpec, port: int) -> _Child:
        host = self._host(spec)
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        return _Child(spec, port, url, self._state_dir / "log" / f"{spec.name}.log")

    def _launch(self, child: _Child) -> None:
        own = {child.spec.port_setting: child.port, **self._overrides.get(child.spec.name, {})}
        settings = [part for key, value in own.items() for part in ("--set", f"{key}={value}")]
        argv = [
            sys.executable,
            "-m",
            "fairlane",
            "--config",
            str(self._config),
            *settings,
            "serve",
            *child.spec.args,
            "--as",
            child.spec.name,
            "--no-topics",
        ]
        env = {
            key: value for key, value in os.environ.items() if not key.startswith("FAIRLANE_") or key in _KEPT_VARIABLES
        }
        child.process = ChildProcess(argv, child.log, env=env)
        child.process.start()
        child.started_at = time.monotonic()
        child.again_at = 0.0

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            with self._mutex:
                changed = [self._tend(child) for child in self._children.values()]
                if any(changed) and not self._stopping.is_set():
                    self._publish()

    def _tend(self, child: _Child) -> bool:
        """Note a death, or start a dead role whose time has come; returns whether it was started."""
        now = time.monotonic()
        if child.process is None:
            if now < child.again_at or self._stopping.is_set():
                return False
            try:
                self._launch(child)
            except OSError as error:
                child.again_at = now + BACKOFF_S[1]
                self._report(f"{child.spec.name} could not be started again: {error}")
                return False
            child.restarts += 1
            return True
        code = child.process.returncode()
        if code is None:
            return False
        ran_s = now - child.started_at
        if ran_s > STEADY_S:
            child.backoff_s = BACKOFF_S[0]
        wait_s = 0.0 if code == RESTART_ME else child.backoff_s
        child.backoff_s = min(child.backoff_s * 2, BACKOFF_S[1])
        child.again_at = now + wait_s
        child.early_deaths += not child.was_ready
        child.last_code = code
        child.process = None
        why = f": {last_words(child.log)}" if code > 0 else ""
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._report(f"{child.spec.name} {ended} after {ran_s:.0f} s, starting it again in {wait_s:.1f} s{why}")
        return False

    def _ready(self, child: _Child) -> bool:
        process = child.process
        if process is None or process.returncode() is not None:
            return False
        try:
            with urlopen(f"{child.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own address
                child.was_ready = child.was_ready or answer.status == 200
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def _publish(self) -> None:
        roles = {
            name: running.RoleProcess(child.process.pid, child.url, str(child.log), child.restarts)
            for name, child in self._children.items()
            if child.process is not None
        }
        now = running.Running(
            os.getpid(),
            running.own_start(),
            self._settings.kafka.bootstrap,
            self._settings.pipeline.name,
            self._broker_version,
            roles,
        )
        running.write(self._state_dir, now)


def last_words(log: Path) -> str:
    """The last line of a log that is worth telling, shortened."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8_192))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "it left no log"
    telling = [line for line in lines if '"level":"error"' in line or line.startswith("fairlane:") or "Error" in line]
    return (telling or lines or ["it left no log"])[-1].strip()[:300]
