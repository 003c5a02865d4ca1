"""Events against the capture contract."""

import copy
import itertools
import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.capture import validate
from ingestion.capture.validate import Batch, Rules
from slo.errors import BodyTooLarge, InvalidEvent, UsageError

NOW_MS = 1_790_000_000_000
GOOD: dict[str, Any] = {"event": "signup", "distinct_id": "u1"}
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
PATH = re.compile(r"events\[\d+\]($|[.\[ ])")


def check(
    events: list[Any],
    *,
    token: str | None = "tok",
    nul: bool = False,
    known: frozenset[str] = frozenset(),
    size: int = 10_000,
) -> Batch:
    made = itertools.count()
    rules = Rules(max_event_bytes=size, max_batch=100, tokens=known, new_id=lambda: f"made-{next(made)}")
    # events are changed in place
    return validate.check(
        [copy.copy(event) for event in events], rules, token=token, traceparent=None, now_ms=NOW_MS, nul=nul
    )


def errors(event: Any, **how: Any) -> list[tuple[str, str]]:
    batch = check([event], **how)
    assert bool(batch.errors) != bool(batch.positions), "an event is either a record or an error"
    return [(error.path, error.message) for error in batch.errors.get(0, [])]


@pytest.mark.parametrize(
    ("event", "path", "words"),
    [
        (5, "events[0]", "must be an object, not a number"),
        (None, "events[0]", "not null"),
        (["x"], "events[0]", "not an array"),
        ({"distinct_id": "u"}, "events[0].event", "is missing"),
        ({**GOOD, "event": None}, "events[0].event", "not null"),
        ({**GOOD, "event": ""}, "events[0].event", "is empty"),
        ({**GOOD, "event": "x" * 201}, "events[0].event", "201 characters, the limit is 200"),
        ({**GOOD, "event": True}, "events[0].event", "not a boolean"),
        ({**GOOD, "distinct_id": 7}, "events[0].distinct_id", "not a number"),
        ({**GOOD, "distinct_id": ""}, "events[0].distinct_id", "is empty"),
        ({**GOOD, "distinct_id": "x" * 201}, "events[0].distinct_id", "201 characters, the limit is 200"),
        ({**GOOD, "distinct_id": {}}, "events[0].distinct_id", "not an object"),
        ({**GOOD, "properties": [1]}, "events[0].properties", "not an array"),
        ({**GOOD, "properties": "x"}, "events[0].properties", "not a string"),
        ({**GOOD, "event_id": "nope"}, "events[0].event_id", "must be a UUID"),
        ({**GOOD, "event_id": UUID + "\n"}, "events[0].event_id", "must be a UUID"),
        ({**GOOD, "event_id": 1}, "events[0].event_id", "must be a UUID"),
        ({**GOOD, "timestamp": "yesterday"}, "events[0].timestamp", "ISO 8601"),
        ({**GOOD, "timestamp": 1700000000}, "events[0].timestamp", "ISO 8601"),
        ({**GOOD, "token": "other-project"}, "events[0].token", "differs from the project key"),
        ({**GOOD, "token": ["tok"]}, "events[0].token", "must be a string, not an array"),
        ({**GOOD, "properties": {"a": "x" * 10_000}}, "events[0]", "the limit is 10,000"),
    ],
)
def test_a_broken_field_is_named_with_its_path_and_what_is_wrong(event: Any, path: str, words: str) -> None:
    found = errors(event)
    assert [at for at, _ in found] == [path]
    assert words in found[0][1]


@pytest.mark.parametrize(
    "event",
    [
        GOOD,
        {**GOOD, "properties": None, "event_id": None, "timestamp": None, "token": None},
        {**GOOD, "event": "é" * 200, "distinct_id": "\U0001f600"},
        {**GOOD, "event_id": UUID.upper()},
        {**GOOD, "token": "tok"},
        {**GOOD, "timestamp": "2026-01-31T12:00:00Z"},
        {**GOOD, "timestamp": "2026-01-31 12:00:00.123+02:00"},
        {**GOOD, "timestamp": "0001-01-01T00:00:00+23:59"},
        {**GOOD, "anything": [1, {"else": True}]},
    ],
)
def test_a_good_event_becomes_a_record(event: dict[str, Any]) -> None:
    assert errors(event) == []


def test_every_error_of_an_event_and_of_a_batch_is_told() -> None:
    batch = check([GOOD.copy(), {"event": 1, "properties": 2}, GOOD.copy()])
    assert {error.path for error in batch.errors[1]} == {
        "events[1].event",
        "events[1].distinct_id",
        "events[1].properties",
    }
    assert batch.positions == [0, 2]
    assert batch.ids == ["made-0", None, "made-1"]


def test_headers_stand_in_the_contracts_order_and_the_payload_carries_the_identity() -> None:
    rules = Rules(10_000, 100, frozenset(), lambda: UUID)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    batch = validate.check([{**GOOD, "plan": "pro"}], rules, token="tok", traceparent=trace, now_ms=NOW_MS, nul=False)
    assert batch.headers == [
        [
            ("token", "tok"),
            ("distinct_id", "u1"),
            ("event_id", UUID),
            ("event", "signup"),
            ("captured_at", str(NOW_MS)),
            ("contract", "1"),
            ("traceparent", trace),
        ]
    ]
    assert orjson.loads(batch.values[0]) == {**GOOD, "plan": "pro", "token": "tok", "event_id": UUID}
    assert batch.keys == ["u1"]


@pytest.mark.parametrize(
    ("stamp", "historical"),
    [("2020-01-01T00:00:00Z", True), ("2026-09-21T13:33:20", False), ("2999-01-01", False), (None, False)],
)
def test_an_event_older_than_a_day_is_marked_as_a_backfill(stamp: str | None, historical: bool) -> None:
    batch = check([{**GOOD, "timestamp": stamp}])
    assert (("historical", "1") in batch.headers[0]) is historical


def test_an_event_id_is_normalised_so_that_the_sink_sees_one_spelling() -> None:
    batch = check([{**GOOD, "event_id": UUID.upper()}])
    assert batch.ids == [UUID]
    assert ("event_id", UUID) in batch.headers[0]


@pytest.mark.parametrize(
    ("token", "known", "own", "refused"),
    [
        (None, {"a"}, "a", None),
        (None, {"a"}, "b", "not a known project key"),
        (None, set(), "b", None),
        (None, set(), "", "1 to 200 printable"),
        (None, set(), "a b", "1 to 200 printable"),
        (None, set(), "x" * 201, "1 to 200 printable"),
        (None, set(), "other", "reserved"),
        (None, set(), None, "is missing"),
        ("a", {"a"}, None, None),
    ],
)
def test_the_token_of_an_event(token: str | None, known: set[str], own: str | None, refused: str | None) -> None:
    batch = check([{**GOOD, "token": own}, {**GOOD, "token": own}], token=token, known=frozenset(known))
    assert batch.without_token == (2 if refused else 0)
    if refused:
        assert refused in batch.errors[0][0].message
    else:
        assert [row[0] for row in batch.headers] == [("token", own or token)] * 2


def test_a_nul_is_found_wherever_it_hides_and_its_escaped_text_is_left_alone() -> None:
    event = {**GOOD, "properties": {"a": [{"b": "x\0"}], "c\0": 1, "d": "\\u0000"}}
    assert [path for path, _ in errors(event, nul=True)] == [
        "events[0].properties (a key)",
        "events[0].properties.a[0].b",
    ]
    assert errors({**GOOD, "properties": {"d": "\\u0000"}}, nul=True) == []


def test_hostile_nesting_with_nuls_is_reported_in_bounded_text() -> None:
    node: dict[str, Any] = {f"k{i}": "\0" for i in range(50)}
    for depth in range(900):
        node = {"key" * 200: node, "sibling": depth}
    found = errors({**GOOD, "properties": node}, nul=True, size=10**9)
    assert len(found) == validate.PATHS_SHOWN
    assert all(len(path) < 400 for path, _ in found)


def test_nesting_that_cannot_be_written_is_the_events_error_not_the_servers() -> None:
    body = b'{"event":"e","distinct_id":"u","properties":{"a":' + b"[" * 400 + b"]" * 400 + b"}}"
    batch = check([*validate.parse(body, 10), GOOD.copy()])
    assert "nested too deeply" in batch.errors[0][0].message
    assert batch.positions == [1]


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", UsageError, "not valid JSON"),
        (b"{", UsageError, "line 1"),
        (b"\x00", UsageError, "not valid JSON"),
        (b'{"a":"\x00"}', UsageError, "not valid JSON"),
        (b'{"a":"\xff"}', UsageError, "not valid JSON"),
        (b'{"a":"\\ud800"}', UsageError, "surrogate"),
        (b'{"a":NaN}', UsageError, "not valid JSON"),
        (b'{"a":1e999}', UsageError, "not valid JSON"),
        (b"\xef\xbb\xbf{}", UsageError, "not valid JSON"),
        (b"[" * 100_000, UsageError, "not valid JSON"),
        (b"[" * 2000 + b"]" * 2000, UsageError, "not valid JSON"),
        (b"[]", InvalidEvent, "empty"),
        (b"42", InvalidEvent, "not a number"),
        (b"null", InvalidEvent, "not null"),
        (b'"x"', InvalidEvent, "not a string"),
        (b"[1,2,3]", BodyTooLarge, "holds 3 events, the limit is 2"),
    ],
)
def test_a_body_that_holds_no_events_is_refused(body: bytes, error: type[UsageError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        validate.parse(body, 2)
    assert type(caught.value) is error


def test_of_duplicate_keys_the_last_wins_and_huge_integers_become_floats() -> None:
    events = validate.parse(
        b'{"event":"a","event":"b","distinct_id":"u","properties":{"n":123456789012345678901234567890}}', 2
    )
    batch = check(events)
    assert ("event", "b") in batch.headers[0]
    assert orjson.loads(batch.values[0])["properties"] == {"n": 123456789012345678901234567890.0}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
TEXTS = st.sampled_from(["", "u", "x" * 200, "x" * 201]) | st.text(max_size=210)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.just("e") | TEXTS | JSON,
        "distinct_id": st.just("u") | TEXTS | JSON,
        "event_id": st.none() | st.uuids().map(str) | JSON,
        "properties": st.dictionaries(st.text(), JSON, max_size=2) | JSON,
        "timestamp": st.datetimes().map(lambda at: at.isoformat()) | JSON,
        "token": st.sampled_from(["tok", "b", "", "other"]) | JSON,
        "more": JSON,
    },
)


@given(
    st.lists(EVENTS | JSON, min_size=1, max_size=5),
    st.sampled_from([None, "tok"]),
    st.sampled_from([frozenset[str](), frozenset({"tok"})]),
)
def test_whatever_comes_each_event_is_a_record_or_an_error_with_its_path(
    events: list[Any], token: str | None, known: frozenset[str]
) -> None:
    body = orjson.dumps(events)
    parsed = validate.parse(body, 100)
    batch = check(parsed, token=token, nul=b"\\u0000" in body, known=known)
    assert sorted([*batch.positions, *batch.errors]) == list(range(len(events)))
    assert len(batch.positions) == len(batch.keys) == len(batch.values) == len(batch.headers)
    for index, found in batch.errors.items():
        assert found
        assert all(error.path.startswith(f"events[{index}]") and PATH.match(error.path) for error in found)
    for index, key, value, row in zip(batch.positions, batch.keys, batch.values, batch.headers, strict=True):
        named = dict(row)
        payload = orjson.loads(value)
        assert [name for name, _ in row][:6] == ["token", "distinct_id", "event_id", "event", "captured_at", "contract"]
        assert payload["token"] == named["token"]
        assert payload["distinct_id"] == named["distinct_id"] == key
        assert payload["event_id"] == named["event_id"] == batch.ids[index]
        assert payload["event"] == named["event"]
        assert b"\\u0000" not in value.replace(b"\\\\", b"")
        assert all("\0" not in str(content) for _, content in row)
        assert {**events[index], **{k: payload[k] for k in ("token", "event_id")}} == payload


# mostly good events with one field in doubt: where a shortcut would slip
NEARLY = st.tuples(
    st.sampled_from(["event", "distinct_id", "event_id", "properties", "timestamp", "token"]), TEXTS | JSON
).map(lambda doubt: {**GOOD, "token": "tok", doubt[0]: doubt[1]})


@settings(max_examples=300)
@given(EVENTS | NEARLY, st.sampled_from([None, "tok"]))
def test_the_quick_path_and_the_diagnosis_agree(event: dict[str, Any], token: str | None) -> None:
    found = validate._diagnose(event, "events[0]", token, frozenset(), nul=False)
    assert errors(event.copy(), token=token) == [(error.path, error.message) for error in found]
