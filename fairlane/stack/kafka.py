"""A real single-node Apache Kafka (KRaft) on loopback, started and stopped with the program."""

import base64
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from fairlane.stack import artifacts, java
from fairlane.stack.lock import FileLock, Held
from fairlane.stack.paths import cache_dir, writable
from fairlane.stack.ports import accepts, free_ports
from fairlane.stack.process import ChildProcess
from ingestion.config import KafkaConfig
from slo.errors import StackUnavailable, StateDirectoryError

READY_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 6.0


class LocalKafka:
    """One broker with its data and log under `state_dir`; a context manager.

    `proxy_port`: clients are told to reach the broker at 127.0.0.1:`proxy_port` (`bootstrap`), and a proxy there has to forward to
    127.0.0.1:`target_port`. `properties` are added to server.properties. The broker dies with this process, however that dies (Linux).
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        cache: Path | None = None,
        proxy_port: int | None = None,
        properties: Mapping[str, str] | None = None,
        heap_mb: int = 768,
        quiet: bool = False,
        ready_limit_s: float = READY_LIMIT_S,
    ) -> None:
        self._home = state_dir / "kafka"
        self._state_dir = state_dir
        self._cache = cache
        self._proxy_port = proxy_port
        self._properties = dict(properties or {})
        self._heap_mb = heap_mb
        self._quiet = quiet
        self._ready_limit_s = ready_limit_s
        self._ports: tuple[int, int, int] | None = None
        self._lock: FileLock | None = None
        self._process: ChildProcess | None = None
        self.version = ""
        self.ready_s = 0.0
        """Seconds from start to the first answer, formatting included and downloading not."""

    def start(self) -> Self:
        """Start it and wait until it answers.

        Raises StackUnavailable when the jars or Java cannot be had or it does not come up, StateDirectoryError when its directory cannot be used.
        """
        writable(self._state_dir)
        jars = artifacts.find(self._cache or cache_dir(), quiet=self._quiet)
        binary = java.find()
        self.version = jars.version
        started = time.monotonic()
        writable(self._home)
        self._take()
        try:
            self._ports = self._ports or self._free()
            command = [
                str(binary),
                f"-Xmx{self._heap_mb}m",
                "-XX:+UseSerialGC",
                *_QUIETLY,
                "-cp",
                f"{jars.directory}/*",
            ]
            properties = self._home / "server.properties"
            properties.write_text(
                "".join(f"{key}={value}\n" for key, value in self._server_properties().items()), encoding="utf-8"
            )
            if not (self._home / "data" / "meta.properties").exists():
                self._format(command, properties)
            self._process = ChildProcess(
                [*command, "kafka.Kafka", str(properties)], self.log_path, cwd=self._home, death_signal=signal.SIGKILL
            )
            self._process.start()
            self._wait_ready()
        except BaseException:
            self.kill()
            self._release()
            raise
        self.ready_s = time.monotonic() - started
        return self

    def stop(self) -> None:
        """Stop it: SIGTERM, STOP_LIMIT_S seconds, SIGKILL. May be called again."""
        if self._process is not None:
            self._process.stop(STOP_LIMIT_S)
            self._process = None
        self._release()

    def kill(self) -> None:
        """SIGKILL, as a crash would; `restart` brings it back on the same data and ports."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same data and ports. Raises as `start`."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        """Start unless it runs already."""
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def running(self) -> bool:
        """Is the broker's process there?"""
        return self._process is not None and self._process.returncode() is None

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT` for clients: the proxy's, when there is one."""
        return f"127.0.0.1:{self._proxy_port or self._listening()[0]}"

    @property
    def direct(self) -> str:
        """`127.0.0.1:PORT` past the proxy."""
        return f"127.0.0.1:{self._listening()[0]}"

    @property
    def target_port(self) -> int:
        """Where a proxy at `proxy_port` must forward to."""
        return self._listening()[2]

    @property
    def pid(self) -> int:
        """The broker's process id. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the local Kafka does not run")
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The broker's log."""
        return self._state_dir / "kafka.log"

    def config(self) -> KafkaConfig:
        """How our parts reach it."""
        return KafkaConfig(bootstrap=self.bootstrap)

    def admin(self, **own: Any) -> AdminClient:
        """A new admin client (librdkafka properties in `own`, `_` for `.`)."""
        return AdminClient(self.config().client(**own))

    def _listening(self) -> tuple[int, int, int]:
        if self._ports is None:
            raise RuntimeError("the local Kafka was not started")
        return self._ports

    @staticmethod
    def _free() -> tuple[int, int, int]:
        first, second, third = free_ports(3)
        return first, second, third

    def _server_properties(self) -> dict[str, str]:
        broker, controller, behind = self._listening()
        listeners, advertised, protocols = (
            f"PLAINTEXT://127.0.0.1:{broker}",
            f"PLAINTEXT://127.0.0.1:{broker}",
            "PLAINTEXT:PLAINTEXT",
        )
        if self._proxy_port is not None:
            # the broker talks to itself past the proxy: a cut line cuts clients, not the transaction coordinator
            listeners += f",PROXIED://127.0.0.1:{behind}"
            advertised += f",PROXIED://127.0.0.1:{self._proxy_port}"
            protocols += ",PROXIED:PLAINTEXT"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": advertised,
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{protocols}",
            "log.dirs": str(self._home / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # a killed broker comes back only when its own controller has given up its previous life (default 9 s)
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "1000",
            "auto.create.topics.enable": "false",
            **self._properties,
        }

    def _format(self, command: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
        argv = [*command, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
        try:
            answer = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=self._home)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StackUnavailable(f"the local Kafka's storage could not be formatted: {error}") from error
        if answer.returncode != 0:
            self.log_path.write_text(answer.stdout + answer.stderr, encoding="utf-8")
            raise StackUnavailable(
                f"the local Kafka's storage could not be formatted (exit {answer.returncode}): see {self.log_path}"
            )

    def _wait_ready(self) -> None:
        # held here: another thread that stops the broker meanwhile takes the attribute away
        process = self._process
        assert process is not None
        broker = self._listening()[0]
        deadline = time.monotonic() + self._ready_limit_s
        while time.monotonic() < deadline:
            if (code := process.returncode()) is not None:
                raise StackUnavailable(
                    f"the local Kafka ended while starting (exit {code}): {self._last_error()}. See {self.log_path}"
                )
            # asking before the port is open would cost a reconnect back-off
            if accepts(broker) and self._answers():
                return
            time.sleep(0.05)
        raise StackUnavailable(
            f"the local Kafka did not answer within {self._ready_limit_s:.0f} s: see {self.log_path}"
        )

    def _answers(self) -> bool:
        client = AdminClient(
            {**KafkaConfig(bootstrap=self.direct).client(), "log_level": 0, "reconnect.backoff.max.ms": 100}
        )
        try:
            return bool(client.list_topics(timeout=5).brokers)
        except KafkaException:
            return False

    def _last_error(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
        telling = [line for line in lines if "ERROR" in line or "Exception" in line or "Error:" in line]
        return (telling or lines or ["it wrote nothing"])[-1].strip()[:300]

    def _take(self) -> None:
        lock = FileLock(self._home / ".owner.lock")
        try:
            lock.acquire(wait_s=1.0)
        except Held as held:
            raise StateDirectoryError(
                f"the state directory {self._state_dir} is in use by process {held.pid}: stop that one first, or give another directory with --state-dir"
            ) from held
        self._lock = lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


_QUIETLY: Final = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
