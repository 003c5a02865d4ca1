"""Finding the user's handler by `module:attribute` and giving it one shape."""

import importlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import Any, cast

from ingestion.config import PipelineConfig, SinkConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Handler, Invalid, Outcome, Record, Retry
from ingestion.lanes.settle import Interrupted
from slo.errors import HandlerError


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """What a handler's class or factory is called with."""

    lane: Lane
    pipeline: PipelineConfig
    sink: SinkConfig


class PerRecord:
    """A function of one record as a handler: timed record by record, stops a key's records behind a Retry.

    The function may return None (done), an outcome, or raise.
    """

    def __init__(self, function: Callable[[Record], Outcome | None], name: str) -> None:
        self._function = function
        self._name = name
        self._current: dict[int, tuple[Record, float]] = {}

    def handle(self, batch: Sequence[Record], /) -> Sequence[Outcome]:
        """Call the function for each record; after a Retry the rest of that partition is not tried.

        Raises Interrupted when the function raises in a batch of several, and what it raises when it was given one.
        """
        outcomes: list[Outcome] = []
        waiting: dict[int, Retry] = {}
        me = get_ident()
        try:
            for record in batch:
                stopped = waiting.get(record.partition)
                if stopped is not None:
                    outcomes.append(stopped)
                    continue
                start = time.perf_counter()
                self._current[me] = (record, start)
                outcome = self._function(record)
                if outcome is None or (isinstance(outcome, Done) and outcome.cost is None):
                    outcome = Done(time.perf_counter() - start)
                elif isinstance(outcome, Retry):
                    waiting[record.partition] = outcome
                elif not isinstance(outcome, Done | Invalid):
                    raise HandlerError(
                        f"handler {self._name} answered {outcome!r}: return None, Done(), Invalid(reason) or Retry(after)"
                    )
                outcomes.append(outcome)
        except Exception as error:
            if len(batch) == 1:
                raise
            raise Interrupted(outcomes, error) from error
        finally:
            self._current.pop(me, None)
        return outcomes

    clock = staticmethod(time.perf_counter)

    def current(self, thread: int) -> tuple[Record, float] | None:
        """The record that a thread is busy with, and since when (perf_counter seconds)."""
        return self._current.get(thread)


def load(spec: str, context: HandlerContext) -> Handler:
    """The handler that `module:attribute` names: an object with `handle(batch)`, a class or factory of one (called with the context), or a function of one record.

    Raises HandlerError naming the part that is wrong, and what would be right.
    """
    module_name, _, path = spec.partition(":")
    if not module_name or not path:
        raise HandlerError(f"handler {spec!r}: write it as `module:attribute`, e.g. `my_app.events:handle`")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise HandlerError(
            f"handler {spec!r}: importing module {module_name!r} failed: {type(error).__name__}: {error}. Is it on PYTHONPATH or in the working directory?"
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            public = sorted(n for n in vars(found) if not n.startswith("_"))[:8] if hasattr(found, "__dict__") else []
            raise HandlerError(f"handler {spec!r}: there is no {part!r}; found {', '.join(public) or 'nothing'}")
        found = getattr(found, part)
    return _shaped(spec, found, context)


def _shaped(spec: str, found: Any, context: HandlerContext) -> Handler:
    if not inspect.isclass(found) and callable(getattr(found, "handle", None)):
        return cast("Handler", found)
    if not callable(found):
        raise HandlerError(
            f"handler {spec!r} is a {type(found).__name__}: it must have handle(batch), make such an object, or be a function of one record"
        )
    if inspect.isclass(found) or _takes_context(found):
        try:
            made = found(context)
        except HandlerError:
            raise
        except Exception as error:
            raise HandlerError(
                f"handler {spec!r}: calling it with the HandlerContext failed: {type(error).__name__}: {error}"
            ) from error
        if not callable(getattr(made, "handle", None)):
            raise HandlerError(f"handler {spec!r} made a {type(made).__name__}, which has no handle(batch) method")
        return cast("Handler", made)
    return PerRecord(found, spec)


def _takes_context(function: Callable[..., Any]) -> bool:
    """A factory says so by its parameter's annotation (HandlerContext) or name (`context`), or by returning a Handler."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    first = next(iter(signature.parameters.values()), None)
    if first is None:
        return False
    return first.annotation in (HandlerContext, "HandlerContext") or first.name == "context"
