"""Who plays in `fairlane bench isolation`, and the playing: every contender on the same scenarios with the same seeds, over the machine's cores."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from isolator.simulate import traced, traces
from isolator.simulate.ablations import ABLATIONS
from isolator.simulate.children import children
from isolator.simulate.contender import Maker, Site
from isolator.simulate.nature import Nature
from isolator.simulate.ours import NAME, Fairlane
from isolator.simulate.rivals import RIVALS
from isolator.simulate.run import Result, play_plan, scenario_named
from isolator.simulate.settings import Settings

Say = Callable[[str], None]


SMALLEST: Final = Site(["t"], 1, 1, 1.0, 30.0, [1.0], [1e-3], 86_400.0)


class Group(StrEnum):
    """What a contender is compared as."""

    OURS = "ours"
    RIVAL = "rival"
    ABLATION = "ablation"


@dataclass(frozen=True, slots=True)
class Entrant:
    """One contender and where it stands."""

    name: str
    group: Group
    maker: Maker

    @property
    def every_s(self) -> float:
        """Seconds between its judgements."""
        return self.maker(SMALLEST).tick_s


OURS: Final = Entrant(NAME, Group.OURS, Fairlane)


def entrants(*, ablations: bool = True) -> tuple[Entrant, ...]:
    """Ours, then the rivals, then ours with parts taken away."""
    more = ABLATIONS if ablations else {}
    return (
        OURS,
        *(Entrant(name, Group.RIVAL, maker) for name, maker in RIVALS.items()),
        *(Entrant(name, Group.ABLATION, maker) for name, maker in more.items()),
    )


@dataclass(frozen=True, slots=True)
class Bout:
    """Everybody in `entrants` on the same run, one after the other: a scenario, or the trace at `trace`. Who is in `keep` keeps its series for a picture."""

    what: str
    seed: int
    entrants: tuple[Entrant, ...]
    settings: Settings
    trace: Path | None = None
    keep: tuple[str, ...] = ()


def played(
    bouts: Sequence[Bout], *, jobs: int = 0, say: Say | None = None, late: Callable[[], bool] = lambda: False
) -> list[list[Result]]:
    """By bout, the results of its entrants, without tick times, and without series and events of who is not kept. `jobs` processes, 0 for one a core; the answer
    does not depend on it. Once it is `late` no further bout is begun: those that never were are missing at the end. Raises what a run raises, first.
    """
    count = min(jobs or os.cpu_count() or 1, max(len(bouts), 1))
    found: dict[int, list[Result]] = {}
    if count <= 1:
        for number, bout in enumerate(bouts):
            if late():
                break
            found[number] = _one(bout)
            _tell(say, len(found), len(bouts), bout, found[number])
        return _in_order(found)
    with children(count) as pool:
        queue = iter(enumerate(bouts))
        running = {} if late() else _more(pool, queue, count)
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    number = running.pop(future)
                    found[number] = future.result()
                    _tell(say, len(found), len(bouts), bouts[number], found[number])
                if not late():
                    running |= _more(pool, queue, len(done))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _in_order(found)


def _in_order(found: Mapping[int, list[Result]]) -> list[list[Result]]:
    # bouts begin in their order: what is missing is missing at the end
    return [found[number] for number in sorted(found)]


def _more(pool: ProcessPoolExecutor, queue: Iterator[tuple[int, Bout]], count: int) -> dict[Future[list[Result]], int]:
    return {pool.submit(_one, bout): number for _, (number, bout) in zip(range(count), queue, strict=False)}


def _one(bout: Bout) -> list[Result]:
    if bout.trace is None:
        settings, scenario = bout.settings, scenario_named(bout.what)
        name, kind, plan = scenario.name, scenario.kind, scenario.plan(settings, bout.seed)
    else:
        ready = traced.plan(traces.read(bout.trace), bout.settings, fit=True)
        name, kind, plan, settings = bout.what, "trace", ready.plan, ready.settings
    nature = Nature(plan, settings, bout.seed, keep=len(bout.entrants) > 1)
    found = []
    for one in bout.entrants:
        result = play_plan(name, kind, plan, bout.seed, one.maker, settings, nature)
        # a thousand runs' samples would fill the memory
        result = replace(result, wall=replace(result.wall, tick_s=()))
        found.append(result if one.name in bout.keep else replace(result, series=(), events=()))
    return found


def _tell(say: Say | None, done: int, of: int, bout: Bout, results: Sequence[Result]) -> None:
    if say is not None:
        spent = sum(r.wall.total_s for r in results)
        say(f"{done}/{of} {bout.what}, seed {bout.seed}: {len(results)} contenders ({spent:.0f} s)")


def by_contender(results: Sequence[Result]) -> Mapping[str, list[Result]]:
    """In the order of first appearance."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.contender, []).append(result)
    return found
