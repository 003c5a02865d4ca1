"""Who used what."""

import pytest

from ingestion.contracts.telemetry import OTHER, TOP_TOKENS
from ingestion.lanes.account import Account, rows
from ingestion.lanes.share import HERE, Share
from tests.support.lane_messages import message


def share(pairs, *, codes=None, costs=None, partition=0) -> Share:
    messages = [message(i, t, k, value=b"12345") for i, (t, k) in enumerate(pairs)]
    return Share(partition, messages, [m.headers() for m in messages], [t.encode() for t, _ in pairs], codes, {}, costs)


def test_records_bytes_work_and_keys_of_a_token_are_exact() -> None:
    account = Account()
    pairs = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")]
    account.add(share(pairs, costs={0: 0.1, 1: 0.2, 2: 0.3, 3: 0.05}))
    first, second = rows(account.take())
    assert (first.token, first.records, first.bytes, first.keys, first.top_key_records) == ("a", 3, 15, 2, 2)
    assert first.work_s == pytest.approx(0.6)
    assert (second.token, second.records, second.work_s) == ("b", 1, 0.05)


def test_the_costly_token_with_few_events_is_among_the_top() -> None:
    account = Account()
    pairs = [(f"t{i}", "k") for i in range(200) for _ in range(3)] + [("slow", "k")]
    account.add(share(pairs, costs={**dict.fromkeys(range(600), 0.0001), 600: 2.0}))
    found = rows(account.take())
    assert found[0].token == "slow"
    assert len(found) == TOP_TOKENS + 1
    assert found[-1].token == OTHER
    assert sum(r.records for r in found) == 601
    assert sum(r.bytes for r in found) == 601 * 5
    assert sum(r.work_s for r in found) == pytest.approx(2.06)


def test_forwards_are_told_apart() -> None:
    account = Account()
    booked = account.book([share([("hot", "k"), ("calm", "k"), ("hot", "k")], codes=[1, HERE, 1])])
    assert (booked.handled, booked.forwarded, booked.dead) == (1, 2, 0)
    usage = account.take()[0]
    assert (usage.handled, usage.forwarded) == (1, 2)
    assert {r.token: r.forwarded for r in rows({0: usage})} == {"hot": 2, "calm": 0}


def test_very_many_partitions_still_fit_one_message() -> None:
    account = Account()
    for p in range(512):
        account.add(share([(f"t{i}", "k") for i in range(80)], partition=p))
    assert len(rows(account.take())) <= 512 * 17


def test_what_was_reported_is_not_reported_again() -> None:
    account = Account()
    account.add(share([("a", "k")]))
    account.take()
    assert rows(account.take()) == ()
