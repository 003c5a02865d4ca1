"""How many tokens were active: the most within one minute of each hour, kept among the hourly samples, so that a month can tell which share of them was moved.

A minute's count is less than all tokens of a month, so a share of it errs high: the moved never look fewer than they were.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine

from slo.capacity.store import HOUR, Samples

NAME: Final = "/active-tokens"
"""After the pipeline's name; no limit or budget can be called so."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Active tokens of a stretch: the most in one minute, and in how many of its hours they were counted."""

    most: int
    hours: int


class Crowds:
    """The counts of one pipeline. One thread notes."""

    def __init__(self, engine: Engine, pipeline: str) -> None:
        self._samples = Samples(engine)
        self._name = pipeline + NAME
        self._highest = (-1, 0)

    def note(self, tokens: int, at_s: float) -> None:
        """So many were active within the minute before `at_s` (Unix seconds); 0 is not kept: it is not known then. Raises SQLAlchemyError."""
        hour = int(at_s) // HOUR
        if tokens <= 0 or (hour, tokens) <= self._highest:
            return
        self._samples.put({(self._name, int(at_s)): float(tokens)})
        self._highest = hour, tokens

    def between(self, begin: int, end: int) -> Crowd | None:
        """Of the hours that begin in [begin, end) (Unix seconds); None when nobody counted. Raises SQLAlchemyError."""
        # the first hour of a local month may have begun before it
        hours = self._samples.read(self._name, begin // HOUR * HOUR)
        inside = [value for at, value in hours.items() if at < end]
        return Crowd(int(max(inside)), len(inside)) if inside else None
