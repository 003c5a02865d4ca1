"""Making sure of every record's outcome: calls the handler, bisects what raises, gives one record three tries."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Any, Final

from ingestion.contracts.records import Done, Handler, Invalid, Outcome, Record, Retry
from slo.clock import Clock
from slo.errors import HandlerError

log = logging.getLogger(__name__)

TRIES: Final = 3
_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Failed:
    """The record raised on every try."""

    error: str


@dataclass(frozen=True, slots=True)
class NotReached:
    """A record of the same partition before it must come again first, or must have become a dead letter for good."""

    rest: bool = True
    """Does the partition rest before it comes again?"""


Settled = Done | Invalid | Retry | Failed | NotReached
NOT_REACHED: Final = NotReached()
BEHIND_DEAD: Final = NotReached(rest=False)
"""Behind a record that failed. Were it handled now and the failed one tried once more, because this chunk is cut or never committed, then that one could
succeed after a later record of its key.
"""


class Interrupted(Exception):
    """A handler of single records raised `error`; `outcomes` are those of the records before it, which need not be handled again."""

    def __init__(self, outcomes: Sequence[Outcome], error: Exception) -> None:
        super().__init__(str(error))
        self.outcomes = outcomes
        self.error = error


class Settler:
    """Settles one batch in its order, in a handler thread.

    `give_up(record)`: may this failed record be dead-lettered? False stops its partition (the handler itself seems broken). `done` is told of records as they
    are done.
    """

    def __init__(
        self,
        handler: Handler,
        clock: Clock,
        give_up: Callable[[Record], bool],
        sleep: Callable[[float], Any],
        done: Callable[[Sequence[Record]], None] = lambda _: None,
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._give_up = give_up
        self._sleep = sleep
        self._done = done
        self._stopped: dict[int, NotReached] = {}
        self.errors = 0
        self.calling: tuple[Sequence[Record], float] | None = None
        """What the handler is busy with, and since when (monotonic seconds); None between two calls."""

    def settle(self, batch: Sequence[Record], careful: Collection[int] = ()) -> list[Settled]:
        """One outcome per record; records behind a Retry or a Failed in their partition may be NotReached.

        Records of `careful` partitions are handed over one by one, so that the one which hangs is known.
        A Done always carries its cost: what the handler said plus an even share of the time that it did not explain, so costs add up to handler seconds.
        """
        if not careful:
            return self._settle(batch)
        settled: list[Settled] = []
        for one_by_one, run in groupby(batch, key=lambda record: record.partition in careful):
            records = list(run)
            for part in [[record] for record in records] if one_by_one else [records]:
                settled += self._settle(part)
        return settled

    def _settle(self, batch: Sequence[Record]) -> list[Settled]:
        if self._stopped:
            closed = [self._stopped.get(r.partition) for r in batch]
            if any(closed):
                todo = [r for r, why in zip(batch, closed, strict=True) if why is None]
                found = iter(self._settle(todo) if todo else ())
                return [next(found) if why is None else why for why in closed]
        start = self._clock.monotonic()
        try:
            outcomes = self._call(batch)
        except Interrupted as stop:
            return self._go_on(batch, stop)
        except Exception as error:
            self.errors += 1
            log.warning("handler failed on %d records: %s: %s", len(batch), type(error).__name__, error)
            return self._halve(batch, error)
        given = sum(o.cost for o in outcomes if isinstance(o, Done) and o.cost is not None)
        rest = max(0.0, self._clock.monotonic() - start - given) / len(batch)
        return self._accept(batch, outcomes, rest)

    def _accept(self, batch: Sequence[Record], outcomes: Sequence[Outcome], rest: float) -> list[Settled]:
        settled: list[Settled] = []
        for record, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Retry):
                self._stopped.setdefault(record.partition, NOT_REACHED)
            settled.append(Done((outcome.cost or 0.0) + rest) if isinstance(outcome, Done) else outcome)
        self._done([r for r, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Done)])
        return settled

    def _call(self, batch: Sequence[Record]) -> Sequence[Outcome]:
        self.calling = batch, self._clock.monotonic()
        try:
            return check(self._handler.handle(batch), len(batch))
        except Interrupted as stop:
            check(stop.outcomes, len(stop.outcomes))
            raise
        finally:
            self.calling = None

    def _go_on(self, batch: Sequence[Record], stop: Interrupted) -> list[Settled]:
        """Nothing to bisect: the record is known, and those before it are done."""
        self.errors += 1
        at = len(stop.outcomes)
        log.warning("handler failed on 1 record: %s: %s", type(stop.error).__name__, stop.error)
        settled = self._accept(batch[:at], stop.outcomes, 0.0)
        if batch[at].partition in self._stopped:
            # it stands behind a Retry, so the handler should not have come to it
            return settled + self._settle(batch[at:])
        settled += self._halve(batch[at : at + 1], stop.error)
        return settled + (self._settle(batch[at + 1 :]) if batch[at + 1 :] else [])

    def _halve(self, batch: Sequence[Record], error: Exception) -> list[Settled]:
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._settle(batch[:middle]) + self._settle(batch[middle:])
        (record,) = batch
        for attempt in range(1, TRIES):
            self._sleep(_PAUSE_S * attempt)
            start = self._clock.monotonic()
            try:
                (outcome,) = self._call(batch)
            except Exception as again:
                self.errors += 1
                error = again
                continue
            spent = self._clock.monotonic() - start if isinstance(outcome, Done) and outcome.cost is None else 0.0
            return self._accept(batch, (outcome,), spent)
        if self._give_up(record):
            self._stopped.setdefault(record.partition, BEHIND_DEAD)
            return [Failed(f"{type(error).__name__}: {error}")]
        self._stopped.setdefault(record.partition, NOT_REACHED)
        return [Retry()]  # the lane pauses as long as it has to


def check(outcomes: Any, expected: int) -> Sequence[Outcome]:
    """The handler's answer, if it keeps the contract; raises HandlerError otherwise."""
    if not isinstance(outcomes, Sequence):
        raise HandlerError(
            f"handle() returned {type(outcomes).__name__}: return a list with one Done, Invalid or Retry per record"
        )
    if len(outcomes) != expected:
        raise HandlerError(
            f"handle() returned {len(outcomes)} outcomes for {expected} records: return exactly one per record, in the batch's order"
        )
    for outcome in outcomes:
        if not isinstance(outcome, Done | Invalid | Retry):
            raise HandlerError(
                f"handle() returned {type(outcome).__name__!r} as an outcome: use Done, Invalid or Retry"
            )
        if isinstance(outcome, Invalid):
            if not isinstance(outcome.reason, str):
                raise HandlerError(f"handle() returned {outcome!r}: the reason must be a text")
        elif not _seconds((outcome.cost or 0.0) if isinstance(outcome, Done) else outcome.after):
            raise HandlerError(f"handle() returned {outcome!r}: seconds must be a finite number of 0 or more")
    return outcomes


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < inf
