"""Step 8: which side lane. Overflow's capacity chooses the lane and never blocks a move."""

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import TroubleKind
from isolator import words
from isolator.constants import Policy
from isolator.observation import Observation


def side_lane(seen: Observation, token: int, policy: Policy) -> Lane:
    """Quarantine for a token that hangs handlers or would take over half of overflow's capacity, else overflow. A quarantine that nobody works in takes nobody."""
    quarantine = seen.side.get(Lane.QUARANTINE)
    if quarantine is None or quarantine.capacity <= 0:
        return Lane.OVERFLOW
    return Lane.QUARANTINE if hangs(seen, token, policy) or too_large(seen, token, policy) else Lane.OVERFLOW


def hangs(seen: Observation, token: int, policy: Policy) -> bool:
    """Has one record of it been running for longer than a third of the SLO, or does a worker tell that it hangs or fails? In overflow it would hold up everybody there."""
    return token in seen.troubles or running_s(seen, token) >= policy.slo_s * policy.blame_in_flight_share


def trouble(seen: Observation, token: int) -> str:
    """What its record does, as a sentence; "" for nothing out of the ordinary."""
    told = seen.troubles.get(token)
    if told is not None and told.kind is TroubleKind.FAILING:
        return f"Its records fail one after the other (partition {told.partition})."
    again = f", attempt {told.attempts}" if told is not None and told.attempts > 0 else ""
    partition, seconds = seen.in_flight.get(token, (told.partition if told else 0, 0.0))
    if seconds > 0:
        return f"One record on partition {partition} has been running for {words.duration(seconds)}{again}."
    return f"One record on partition {partition} hung its worker{again}." if told is not None else ""


def running_s(seen: Observation, token: int) -> float:
    """Seconds that the token's longest running record has been running, 0 for none."""
    return seen.in_flight.get(token, (0, 0.0))[1]


def too_large(seen: Observation, token: int, policy: Policy) -> bool:
    """Does it do over half of what overflow can?"""
    overflow = seen.side.get(Lane.OVERFLOW)
    if overflow is None or overflow.capacity <= 0:
        return False
    work = float(seen.tokens.rate[token] * seen.tokens.cost[token])
    return work > policy.overflow_share * overflow.capacity
