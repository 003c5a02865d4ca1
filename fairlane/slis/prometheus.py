"""Prometheus servers (or what speaks their query API) as sources of slices: asked side by side, so that one that hangs, drips or is away holds up nobody else's."""

import asyncio
import contextlib
import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import httpx

from fairlane.addresses import shown
from fairlane.slis.asking import ask
from fairlane.slis.minutes import absent, minutes, queries
from slo.errors import Unreachable
from slo.objective import Objective
from slo.slices import Slice
from slo.source import Ratio, Raw

TIMEOUT_S: Final = 8.0
"""Of a connection, and of each wait for more of an answer ..."""
ANSWER_S: Final = 15.0
"""... and of all answers about one objective, however they trickle in."""
AT_ONCE: Final = 32
"""Objectives that are asked about at the same time ..."""
OF_ONE: Final = 4
"""... and those of one source: a source that hangs holds no more than these."""
LOOKUPS: Final = 4 * AT_ONCE
"""Threads that ask name servers, made as they are needed. One that is given up hangs on for as long as its name server does, and must not stand in others' way: a round has time for less than three times AT_ONCE of those."""
SILENT: Final = 2
"""A source that has left so many questions unanswered is asked no more in this round; one to which there is no connection, at once."""
_BACKSTOP_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Ask:
    """The minutes in [begin, end) (Unix seconds, whole minutes) of an objective."""

    objective: Objective
    begin: int
    end: int

    @property
    def url(self) -> str:
        """Its source's address; empty for an objective that has none."""
        source = self.objective.source
        return source.url if isinstance(source, Ratio | Raw) else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an Ask: its minutes that were seen, by their start, or the problem. Nothing of an answer with a problem may be booked."""

    ask: Ask
    minutes: Mapping[int, Slice] = field(default_factory=dict)
    problem: str = ""
    asked: bool = True
    """False for a problem of its source, which was left alone when this one's turn came."""
    note: str = ""
    """What is worth telling although it was answered."""


@dataclass(slots=True)
class _Round:
    """What the questions of one round share."""

    client: httpx.AsyncClient
    places: asyncio.Semaphore
    of_source: dict[str, asyncio.Semaphore]
    silent: Counter[str] = field(default_factory=Counter)
    begun: set[str] = field(default_factory=set)


class Prometheus:
    """Asks about many objectives at once. Keeps nothing between rounds; thread-safe."""

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        answer_s: float = ANSWER_S,
        *,
        at_once: int = AT_ONCE,
        of_one: int = OF_ONE,
    ) -> None:
        self._timeout_s, self._answer_s = timeout_s, answer_s
        self._at_once, self._of_one = at_once, of_one

    def read(self, objective: Objective, begin: int, end: int) -> Mapping[int, Slice]:
        """The minutes of one objective in [begin, end). Raises Unreachable when its source does not answer, answers with an error, or answers half."""
        (answer,) = self.read_all([Ask(objective, begin, end)], self._answer_s + self._timeout_s)
        if answer.problem:
            raise Unreachable(answer.problem)
        return answer.minutes

    def read_all(self, asks: Sequence[Ask], within_s: float) -> Iterator[Answer]:
        """One answer to each, in the order in which they come and all within `within_s` seconds. An earlier Ask has its turn no later than another of its source."""
        came: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        until = time.monotonic() + within_s + _BACKSTOP_S
        threading.Thread(target=self._run, args=(asks, within_s, came), name="sources", daemon=True).start()
        left = {one.objective.name: one for one in asks}
        while left:
            try:
                answer = came.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                yield from (_late(one, within_s, asked=True) for one in left.values())
                return
            del left[answer.ask.objective.name]
            yield answer

    def _run(self, asks: Sequence[Ask], within_s: float, came: "queue.SimpleQueue[Answer]") -> None:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup"))
        try:
            loop.run_until_complete(self._all(asks, within_s, came))
        finally:
            # a name server that hangs must not hold this up: its threads are not waited for
            loop.close()

    async def _all(self, asks: Sequence[Ask], within_s: float, came: "queue.SimpleQueue[Answer]") -> None:
        limits = httpx.Limits(max_connections=self._at_once, max_keepalive_connections=self._at_once)
        client = httpx.AsyncClient(timeout=self._timeout_s, follow_redirects=False, limits=limits)
        of_source: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(self._of_one))
        round_ = _Round(client, asyncio.Semaphore(self._at_once), of_source)
        tasks = {asyncio.create_task(self._turn(one, round_)): one for one in asks}
        for task, one in tasks.items():
            task.add_done_callback(partial(_tell, one, within_s, round_, came))
        _, late = await asyncio.wait(tasks, timeout=within_s) if tasks else (None, set())
        for task in late:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BACKSTOP_S / 2):
                await asyncio.gather(*late, return_exceptions=True)
                await client.aclose()
                # what reads an answer that was cut off closes itself, some of it in tasks of its own
                await asyncio.get_running_loop().shutdown_asyncgens()
                while rest := asyncio.all_tasks() - {asyncio.current_task()}:
                    await asyncio.wait(rest)

    async def _turn(self, one: Ask, round_: _Round) -> Answer:
        url = one.url
        async with round_.of_source[url], round_.places:
            if round_.silent[url] >= SILENT:
                return Answer(one, problem=f"{shown(url)}: does not answer, and is asked again later", asked=False)
            round_.begun.add(one.objective.name)
            try:
                async with asyncio.timeout(self._answer_s):
                    return await _answer(one, round_.client)
            except TimeoutError:
                round_.silent[url] += 1
                return Answer(one, problem=f"{shown(url)}: the answer took longer than {self._answer_s:g} s")
            except Unreachable as error:
                if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                    round_.silent[url] += SILENT
                elif isinstance(error.__cause__, httpx.TransportError):
                    round_.silent[url] += 1
                return Answer(one, problem=str(error))


async def _answer(one: Ask, client: httpx.AsyncClient) -> Answer:
    source = one.objective.source
    if not isinstance(source, Ratio | Raw):
        return Answer(one)
    came = [await ask(client, source.url, query, one.begin, one.end) for query in queries(source)]
    return Answer(one, minutes(one.objective, came, one.begin, one.end), note=absent(source, came))


def _tell(
    one: Ask, within_s: float, round_: _Round, came: "queue.SimpleQueue[Answer]", done: "asyncio.Task[Answer]"
) -> None:
    if done.cancelled():
        came.put(_late(one, within_s, asked=one.objective.name in round_.begun))
    elif (error := done.exception()) is not None:
        came.put(Answer(one, problem=f"{shown(one.url)}: {type(error).__name__}"))
    else:
        came.put(done.result())


def _late(one: Ask, within_s: float, *, asked: bool) -> Answer:
    return Answer(one, problem=f"{shown(one.url)}: no answer within the {within_s:g} s of a round", asked=asked)
