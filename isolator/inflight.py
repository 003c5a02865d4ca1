"""What workers say about single records: which have been running for long, and which tokens hang them or fail."""

from collections.abc import Iterable, Mapping
from typing import Final

from ingestion.contracts.telemetry import OTHER, Trouble, TroubleKind
from isolator.slots import Slot

LATE_S: Final = 2.0
"""A report a second, and what it may be late: by so much a record that runs is taken to have run on."""


def longest(general: Iterable[Slot], now_ms: int) -> Mapping[int, tuple[int, float]]:
    """Token id -> (partition, seconds) of its longest running record; a worker that reports no more is not known to run anything.

    A record is taken to have gone on for as long as its worker's last report is old, up to what that report may be late.
    """
    found: dict[int, tuple[int, float]] = {}
    for slot in general:
        since_s = min(max(now_ms - slot.at_ms, 0) / 1000, LATE_S)
        for token, partition, seconds in slot.last.in_flight if slot.last is not None else ():
            if token not in found or found[token][1] < seconds + since_s:
                found[token] = (partition, seconds + since_s)
    return found


def troubles(lanes: Iterable[Iterable[Slot]]) -> Mapping[str, Trouble]:
    """What the workers of all lanes say about tokens, the worst of each: hung before failing, then the most attempts."""
    found: dict[str, Trouble] = {}
    for slot in (slot for lane in lanes for slot in lane):
        for one in slot.last.troubles if slot.last is not None else ():
            if one.token != OTHER and (one.token not in found or _badness(one) > _badness(found[one.token])):
                found[one.token] = one
    return found


def _badness(trouble: Trouble) -> tuple[bool, int, int]:
    return trouble.kind is TroubleKind.HUNG, trouble.attempts, -trouble.partition
