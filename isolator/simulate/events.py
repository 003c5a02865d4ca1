"""What a contender did in a run, and the run's samples."""

from dataclasses import dataclass

MOVE, RESTORE, LIMIT, LIFT = "move", "restore", "limit", "lift"


@dataclass(frozen=True, slots=True)
class Event:
    """One order about one token. A limit below what the token brings counts as a move."""

    at_s: float
    kind: str
    token: int
    name: str
    lane: str = ""

    @property
    def away(self) -> bool:
        """Does it put the token at a disadvantage (rather than end one)?"""
        return self.kind in {MOVE, LIMIT}


@dataclass(frozen=True, slots=True)
class Sample:
    """The pipeline at one moment. Work in seconds a second, delays in seconds."""

    at_s: float
    demand: float
    """work/s that arrived since the last sample, moved tokens included, over general's capacity"""
    busiest: float
    """share of its capacity that general's busiest slot used"""
    delay_s: float
    """oldest waiting record of general, worst partition"""
    side_delay_s: float
    moved: int
    """tokens away or limited"""
    moved_share: float
    """of the events that arrived"""
