"""Telemetry on the wire: what was sent comes back, and a poisoned message is refused as a whole with the one error that consumers skip."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import (
    OTHER,
    Action,
    ArrivalReport,
    CaptureReport,
    Command,
    Expected,
    Kind,
    LanePartition,
    Message,
    MinuteCount,
    PartitionLoad,
    Population,
    ProbeReport,
    SliCounts,
    TokenLoad,
    TokenRows,
    Trouble,
    TroubleKind,
    UnknownMessage,
    WorkerReport,
    decode,
    encode,
    kind_of,
)

LOADS = (TokenLoad("a", 0, 5, 500, 0.25, 2, 4, 1), TokenLoad(OTHER, 3, 7, 70))
MESSAGES: dict[str, Message] = {
    "worker": WorkerReport(
        "p",
        1,
        1.0,
        Lane.GENERAL,
        "0",
        "b",
        0.1,
        (PartitionLoad(0, 10, 20, 3, 0.5, 5, 1, 0.1, 9.0, "a", 1.5, retrying=True),),
        LOADS,
        moves_refused=True,
        troubles=(Trouble("a", 0, TroubleKind.HUNG, 2),),
    ),
    "arrivals": ArrivalReport("p", 1, 1.0, LOADS, "c2tldGNo"),
    "probe": ProbeReport(
        "p", 1, (LanePartition(Lane.OVERFLOW, 1, -1, 5, 5, 0.5, "exact", 2),), ((1, -0.01),), (Expected(7, 1, 60),)
    ),
    "sli": SliCounts("p", 1, Lane.GENERAL, (MinuteCount(7, Population.MOVED, Kind.LATE, 3),), (1, 2), 1),
    "capture": CaptureReport("p", 1, 1.0, 5, 1, latency_s=(0.1, 0.2, 0.3)),
    "command": Command("p", 1, "c", Action.MOVE, "ops", token="a", lane=Lane.OVERFLOW, expires_ms=5),
}


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_every_message_comes_back_as_it_was_sent(kind: str) -> None:
    value = encode(MESSAGES[kind])
    assert kind_of(value) == kind
    assert decode(value) == MESSAGES[kind]
    newer = orjson.dumps({**orjson.loads(value), "added_later": [1]})
    assert decode(newer) == MESSAGES[kind]


def test_tokens_are_columns_that_read_like_rows() -> None:
    report = decode(encode(MESSAGES["arrivals"]))
    assert isinstance(report, ArrivalReport)
    rows = report.tokens
    assert isinstance(rows, TokenRows)
    assert (len(rows), rows[1], tuple(rows[:1]), rows == LOADS) == (2, LOADS[1], LOADS[:1], True)
    assert rows.column("work_s").tolist() == [0.25, 0.0]
    assert isinstance(rows[0].records, int)
    assert encode(report) == encode(MESSAGES["arrivals"]), "what was read can be sent on"


def test_rows_of_an_older_build_have_fewer_fields() -> None:
    body = orjson.loads(encode(MESSAGES["arrivals"]))
    body["tokens"] = [row[:5] for row in body["tokens"]]
    report = decode(orjson.dumps(body))
    assert isinstance(report, ArrivalReport)
    assert report.tokens[0] == TokenLoad("a", 0, 5, 500, 0.25)


ROW: list[Any] = ["a", 0, 5, 500, 0.25, 2, 4, 1]
BAD_ROWS: dict[str, Any] = {
    "a text where a count belongs": ["a", 0, "5", 500, 0.25, 2, 4, 1],
    "nothing where a count belongs (a NaN travels so)": ["a", 0, None, 500, 0.25, 2, 4, 1],
    "a negative count": ["a", 0, -5, 500, 0.25, 2, 4, 1],
    "a broken count": ["a", 0, 5.5, 500, 0.25, 2, 4, 1],
    "a negative work": ["a", 0, 5, 500, -0.25, 2, 4, 1],
    "a text where work belongs": ["a", 0, 5, 500, "long", 2, 4, 1],
    "a list where a count belongs": ["a", 0, [5], 500, 0.25, 2, 4, 1],
    "an object where a count belongs": ["a", 0, {}, 500, 0.25, 2, 4, 1],
    "a number where the token belongs": [7, 0, 5, 500, 0.25, 2, 4, 1],
    "a negative partition": ["a", -1, 5, 500, 0.25, 2, 4, 1],
    "an impossible partition": ["a", 10**9, 5, 500, 0.25, 2, 4, 1],
    "too few fields": ["a", 0, 5],
    "too many fields": [*ROW, 1],
    "no row but a text": "abcdefgh",
    "no row but a number": 5,
    "no row but nothing": None,
}


@pytest.mark.parametrize("kind", ["arrivals", "worker"])
@pytest.mark.parametrize("bad", sorted(BAD_ROWS))
def test_one_bad_token_row_spoils_its_message(kind: str, bad: str) -> None:
    body = orjson.loads(encode(MESSAGES[kind]))
    for rows in ([ROW, BAD_ROWS[bad], ROW], [BAD_ROWS[bad]]):
        body["tokens"] = rows
        with pytest.raises(UnknownMessage):
            decode(orjson.dumps(body))


@pytest.mark.parametrize("rows", [{}, {"a": 1}, "", "text", 0, None, True], ids=str)
def test_tokens_that_are_no_list_are_refused(rows: object) -> None:
    body = {**orjson.loads(encode(MESSAGES["arrivals"])), "tokens": rows}
    with pytest.raises(UnknownMessage):
        decode(orjson.dumps(body))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("worker", {"pipeline": 5}),
        ("worker", {"at_ms": "now"}),
        ("worker", {"at_ms": -1}),
        ("worker", {"at_ms": None}),
        ("worker", {"interval_s": None}),
        ("worker", {"interval_s": -1.0}),
        ("worker", {"interval_s": 1e9}),
        ("worker", {"lane": "fast"}),
        ("worker", {"lane": None}),
        ("worker", {"concurrency": 1.5}),
        ("worker", {"concurrency": 0}),
        ("worker", {"moves_refused": "no"}),
        ("worker", {"partitions": [[0, 10, 20, 3, "0.5", 5, 1]]}),
        ("worker", {"partitions": [[0, 10, 20, 3, 0.5, -5, 1]]}),
        ("worker", {"partitions": [[0, 10, 20]]}),
        ("worker", {"partitions": [["x"] * 30]}),
        ("worker", {"partitions": {"0": 1}}),
        ("worker", {"troubles": [["a", 0, "sad", 1]]}),
        ("arrivals", {"active_sketch": 5}),
        ("probe", {"lanes": [["general", 1, 0, 5, -5, 0.5, "exact", 2]]}),
        ("probe", {"lanes": [["general", 1, 0, 5, 5, "old", "exact", 2]]}),
        ("probe", {"canary_s": [[1]]}),
        ("probe", {"canary_s": [[1, "x"]]}),
        ("probe", {"canary_s": 5}),
        ("probe", {"expected": [[7, 1, -60]]}),
        ("sli", {"counts": [[7, "moved", "late", "3"]]}),
        ("sli", {"counts": [[7, "moved", "lost", 3]]}),
        ("sli", {"counts": [[7, "moved", "late", -3]]}),
        ("sli", {"protected_histogram": [1, None]}),
        ("sli", {"skewed": -1}),
        ("capture", {"accepted": "5"}),
        ("capture", {"accepted": -5}),
        ("command", {"action": "explode"}),
        ("command", {"token": 5}),
        ("command", {"expires_ms": "soon"}),
    ],
    ids=str,
)
def test_one_bad_field_spoils_its_message(kind: str, change: dict[str, Any]) -> None:
    with pytest.raises(UnknownMessage):
        decode(orjson.dumps({**orjson.loads(encode(MESSAGES[kind])), **change}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_whatever_a_field_holds_is_either_read_or_refused(kind: str, data: st.DataObject) -> None:
    body = orjson.loads(encode(MESSAGES[kind]))
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    try:
        decode(orjson.dumps(body))
    except UnknownMessage:
        return


@given(st.binary(max_size=60) | JSON.map(orjson.dumps))
def test_whatever_the_bytes_are_only_one_error_comes(value: bytes) -> None:
    with pytest.raises(UnknownMessage):
        decode(value)
