"""Which record to suspect when a handler hangs, and whose trouble that is. Pure.

A call that hangs cannot be ended: the worker commits the suspect where its chunk began, and starts anew. The second time the suspect's token is wanted in
quarantine, the third time (the second in a side lane) the record is a dead letter.
"""

from collections.abc import Iterable, Mapping, Sequence

from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Trouble, TroubleKind
from ingestion.lanes.handling import Flight
from ingestion.lanes.layout import token_of
from ingestion.lanes.metadata import CAREFUL, Suspect
from ingestion.lanes.owned import Owned


def accuse(flights: Iterable[Flight], known: Mapping[int, Suspect | None]) -> dict[int, Suspect]:
    """Partition -> suspect, of the calls that hang (longest first; one suspect a partition). `known`: the suspects that the partitions have now.

    A call with one record names it: attempt 1, or one more when it was suspect before. A call with a batch names nobody: everything up to its last record
    is marked CAREFUL, which means one by one.
    """
    found: dict[int, Suspect] = {}
    for flight in flights:
        if flight.record is not None:
            found.setdefault(
                flight.record.partition, _once_more(flight.record.offset, known.get(flight.record.partition))
            )
            continue
        last: dict[int, int] = {}
        for record in flight.batch:
            last[record.partition] = max(record.offset, last.get(record.partition, -1))
        for partition, offset in last.items():
            found.setdefault(partition, Suspect(offset, CAREFUL))
    return found


def _once_more(offset: int, known: Suspect | None) -> Suspect:
    if known is None or known.offset != offset or known.attempts == CAREFUL:
        return Suspect(offset, 1)
    return Suspect(offset, min(known.attempts + 1, CAREFUL - 1))


def doomed(suspect: Suspect | None, lane: Lane) -> bool:
    """Has it hung its handler so often that it is given up: the third attempt in general, the second in a side lane?"""
    return (
        suspect is not None and suspect.attempts != CAREFUL and suspect.attempts >= (2 if lane is Lane.GENERAL else 1)
    )


def one_by_one(owned: Iterable[Owned]) -> frozenset[int]:
    """Partitions whose records are to be handed over one by one: somewhere in them a batch hung."""
    return frozenset(one.partition for one in owned if one.suspect is not None and one.suspect.attempts == CAREFUL)


def token_at(one: Owned) -> bytes:
    """The token of the partition's suspect record; b"" when there is none, or the record is not buffered yet."""
    if one.suspect is None or one.suspect.attempts == CAREFUL:
        return b""
    message = one.buffer.message_at(one.suspect.offset)
    return token_of(headers.of(message)) if message is not None else b""


def sent_away(ready: Sequence[Owned], lane: Lane) -> dict[bytes, Lane]:
    """Tokens wanted in quarantine in this chunk, whatever their route says: those of suspects in general that are to be tried a second time."""
    if lane is not Lane.GENERAL:
        return {}
    suspects = [one for one in ready if one.suspect is not None and not doomed(one.suspect, lane)]
    return {token: Lane.QUARANTINE for one in suspects if (token := token_at(one))}


def troubles(owned: Iterable[Owned]) -> tuple[Trouble, ...]:
    """What telemetry says of the suspects that lie ahead, as far as their tokens are known."""
    return tuple(
        Trouble(token.decode(errors="replace"), one.partition, TroubleKind.HUNG, one.suspect.attempts)
        for one in owned
        if one.suspect is not None and (token := token_at(one))
    )


def hanging(flights: Iterable[Flight], suspects: Mapping[int, Suspect]) -> tuple[Trouble, ...]:
    """The same for calls that hang now, as far as one token can be named."""
    found = {}
    for flight in flights:
        if flight.token:
            first = flight.record or flight.batch[0]
            suspect = suspects[first.partition]
            attempts = 1 if suspect.attempts == CAREFUL else suspect.attempts
            found[flight.token] = Trouble(flight.token, first.partition, TroubleKind.HUNG, attempts)
    return tuple(found.values())


def in_flight(flights: Iterable[Flight]) -> dict[int, tuple[str, float]]:
    """Partition -> token ("" unknown) and seconds of its longest running call. `flights`: longest first."""
    found: dict[int, tuple[str, float]] = {}
    for flight in flights:
        records = flight.batch if flight.record is None else (flight.record,)
        for partition in {record.partition for record in records}:
            found.setdefault(partition, (flight.token, flight.seconds))
    return found


def indictment(lane: Lane, flights: Iterable[Flight], suspects: Mapping[int, Suspect]) -> list[str]:
    """A line for the log about each call that hangs."""
    return [
        f"the handler of lane {lane} hangs in a batch of {len(flight.batch)}: its records will be tried one by one"
        if flight.record is None
        else f"the handler of lane {lane} hangs on {flight.record.source}, attempt {suspects[flight.record.partition].attempts}: starting anew"
        for flight in flights
    ]
