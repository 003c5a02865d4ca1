"""A TCP proxy between the workers and the broker that delays, cuts, stalls and half-opens connections.

The broker advertises the proxy's port (`LocalKafka(proxy_port=...)`), so every client of that listener passes here. It runs in a thread of its own.
A worker that is about to commit can ask for trouble on its own connections through the control port: one JSON line in, one line out.
"""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

import psutil

_BLOCK: Final = 65_536
_ANSWER_S: Final = 5.0


class Trouble(StrEnum):
    """What a connection can suffer."""

    CUT = "cut"
    """Reset at once."""
    DELAY = "delay"
    """Everything takes a while longer."""
    HALF_OPEN = "half-open"
    """Requests arrive and are obeyed, answers never come; in the end the connection is reset."""
    STALL = "stall"
    """Requests wait and are delivered late, even when the client has long given the connection up."""


class _Connection:
    """One client and its connection to the broker."""

    def __init__(self, port: int) -> None:
        self.port = port
        """The client's."""
        self.delay_s = 0.0
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self.up.set()
        self.down.set()
        self.writers: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """Reset both sides."""
        for writer in self.writers:
            with contextlib.suppress(Exception):
                writer.transport.abort()
        self.up.set()
        self.down.set()


class Proxy:
    """Listens on `port` and forwards to `target()`; a context manager. `troubles` counts what was done."""

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._open: set[_Connection] = set()
        self._everyone: tuple[Trouble, float] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = _bound()
        self._controller = _bound()
        self.port: int = self._listener.getsockname()[1]
        """Where clients connect; known before the broker is started."""
        self.control: int = self._controller.getsockname()[1]
        """Where workers ask for trouble."""
        self.troubles: list[tuple[float, Trouble, int, int]] = []
        """(when, what, pid or 0, connections)."""

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything and end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def trouble(self, what: Trouble, seconds: float, pid: int = 0, delay_s: float = 0.2) -> int:
        """Trouble for the connections that `pid` has now (0: everybody's, new ones included) for `seconds`; returns how many."""
        return self._call(self._strike(what, seconds, pid, delay_s))

    def _call(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        serve = [
            self._loop.run_until_complete(asyncio.start_server(self._client, sock=self._listener)),
            self._loop.run_until_complete(asyncio.start_server(self._ask, sock=self._controller)),
        ]
        try:
            self._loop.run_forever()
        finally:
            for server in serve:
                server.close()
            for one in list(self._open):
                one.cut()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(asyncio.sleep(0.05))  # transports close on the next turn of the loop
            self._loop.close()

    async def _strike(self, what: Trouble, seconds: float, pid: int, delay_s: float) -> int:
        hit = list(self._open)
        if pid:
            ports = await asyncio.to_thread(_ports_of, pid, self.port)
            hit = [one for one in hit if one.port in ports]
        else:
            self._everyone = None if what is Trouble.CUT else (what, delay_s)
        for one in hit:
            _start(one, what, delay_s)
        self.troubles.append((time.monotonic(), what, pid, len(hit)))
        task = self._loop.create_task(self._mend(hit, what, seconds, everyone=not pid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return len(hit)

    async def _mend(self, hit: list[_Connection], what: Trouble, seconds: float, *, everyone: bool) -> None:
        await asyncio.sleep(seconds)
        if everyone:
            self._everyone = None
            hit = list({*hit, *self._open})
        for one in hit:
            _end(one, what)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one = _Connection(writer.get_extra_info("peername")[1])
        one.writers.append(writer)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target())
        except OSError:
            writer.transport.abort()
            return
        one.writers.append(up_writer)
        self._open.add(one)
        if self._everyone is not None:
            _start(one, *self._everyone)
        try:
            await asyncio.gather(
                self._pump(one, reader, up_writer, one.up), self._pump(one, up_reader, writer, one.down)
            )
        finally:
            self._open.discard(one)
            one.cut()

    @staticmethod
    async def _pump(
        one: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_BLOCK):
                if one.delay_s:
                    await asyncio.sleep(one.delay_s)
                await gate.wait()
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            wish = json.loads(await reader.readline())
            count = await self._strike(Trouble(wish["what"]), wish["seconds"], wish["pid"], wish["delay_s"])
            writer.write(b"%d\n" % count)
            await writer.drain()
        writer.close()


def ask(control: int, what: Trouble, seconds: float, pid: int, delay_s: float = 0.2) -> int:
    """From another process: trouble for the connections of `pid`; returns how many were hit."""
    with socket.create_connection(("127.0.0.1", control), timeout=_ANSWER_S) as line:
        wish = {"what": what, "seconds": seconds, "pid": pid, "delay_s": delay_s}
        line.sendall(json.dumps(wish).encode() + b"\n")
        return int(line.makefile().readline() or 0)


def _start(one: _Connection, what: Trouble, delay_s: float) -> None:
    if what is Trouble.CUT:
        one.cut()
    elif what is Trouble.DELAY:
        one.delay_s = delay_s
    elif what is Trouble.HALF_OPEN:
        one.down.clear()
    else:
        one.up.clear()


def _end(one: _Connection, what: Trouble) -> None:
    one.delay_s = 0.0
    if what is Trouble.HALF_OPEN:
        one.cut()
    one.up.set()
    one.down.set()


def _ports_of(pid: int, proxy: int) -> set[int]:
    try:
        found = psutil.Process(pid).net_connections(kind="tcp4")
    except psutil.Error:
        return set()
    return {c.laddr.port for c in found if c.raddr and c.raddr.port == proxy}


def _bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.bind(("127.0.0.1", 0))
    one.listen(128)  # clients may come before the loop runs: they wait
    return one
