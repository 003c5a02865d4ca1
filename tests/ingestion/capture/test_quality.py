"""What capture counts by event type."""

from typing import Any

from ingestion.capture.quality import MOST_TYPES, Quality
from ingestion.contracts import headers as names
from ingestion.contracts.telemetry import OTHER, TypeCount

PLAIN = [(names.TOKEN, "t")]
LATE = [*PLAIN, (names.HISTORICAL, "1")]


def note(quality: Quality, *events: dict[str, Any], rows: list[list[tuple[str, Any]]] | None = None) -> None:
    quality.note(events, range(len(events)), rows or [PLAIN] * len(events))


def event(name: str, event_id: str, **properties: object) -> dict[str, Any]:
    return {"event": name, "event_id": event_id, "properties": properties}


def test_required_fields_are_asked_of_their_type_only_and_null_is_missing() -> None:
    quality = Quality({"buy": ("amount", "currency")})
    note(
        quality,
        event("buy", "1", amount=1, currency="EUR"),
        event("buy", "2", amount=0, currency=""),
        event("buy", "3", amount=None, currency="EUR"),
        event("buy", "4", currency="EUR"),
        {"event": "buy", "event_id": "5", "properties": None},
        {"event": "buy", "event_id": "6"},
        event("view", "7"),
    )
    assert set(quality.take()) == {TypeCount("buy", 6, nulls=4), TypeCount("view", 1)}
    assert quality.take() == (), "the next second begins at nothing"


def test_only_the_taken_events_of_a_request_are_counted() -> None:
    quality = Quality()
    events = [event("a", "1"), "no event", event("b", "2"), event("c", "3")]
    quality.note(events, [0, 3], [PLAIN, LATE])
    assert set(quality.take()) == {TypeCount("a", 1), TypeCount("c", 1, late=1)}


def test_an_id_is_remembered_for_one_generation_at_least_and_two_at_most() -> None:
    quality = Quality(remembered=3)
    note(quality, *[event("a", str(n)) for n in (1, 2, 3, 1, 4, 5, 3)])
    assert quality.take() == (TypeCount("a", 7, duplicates=2),)
    note(quality, *[event("a", str(n)) for n in (6, 1)])
    assert quality.take() == (TypeCount("a", 2, duplicates=0),), "1 is two generations ago"


def test_types_beyond_the_limit_are_summed_up() -> None:
    quality = Quality()
    note(quality, *[event(f"type-{n}", str(n)) for n in range(MOST_TYPES + 7)])
    note(quality, event("type-0", "again"), event("new", "x"))
    found = {row.name: row.events for row in quality.take()}
    assert len(found) == MOST_TYPES + 1
    assert (found["type-0"], found[OTHER]) == (2, 8)
