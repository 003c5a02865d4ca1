import pytest

from fairlane.demo import report
from fairlane.demo.handler import cost_s
from fairlane.demo.report import Visible
from fairlane.demo.watch import Move
from ingestion.contracts.names import Lane

GUILTY = frozenset({"noisy"})


def row(token, captured_s, fresh_s):
    return Visible(token, int(captured_s * 1000), int((captured_s + fresh_s) * 1000))


def test_innocents_are_everybody_but_the_guilty():
    rows = [row("a", 0, 1), row("b", 1, 2), row("noisy", 0, 500)]
    found = report.innocents(rows, 2, GUILTY, 30)
    assert (found.events, found.over_slo, found.over_slo_ratio) == (2, 0, 0.0)
    assert found.freshness_p50_s == pytest.approx(1.5)


def test_an_innocent_that_never_became_visible_is_over_the_slo():
    found = report.innocents([row("a", 0, 1), row("a", 0, 31)], 4, GUILTY, 30)
    assert (found.events, found.over_slo, found.over_slo_ratio) == (4, 3, 0.75)


def test_no_innocents_at_all_is_not_a_division_by_zero():
    assert report.innocents([], 0, GUILTY, 30).over_slo_ratio == 0.0


def test_protected_is_when_the_last_late_innocent_was_visible():
    rows = [row("a", 10, 0.5), row("a", 12, 9), row("b", 13, 4.9), row("noisy", 12, 100), row("a", 1, 9)]
    assert report.protected_s(rows, GUILTY, 11_000, 5.0, 30) == pytest.approx(10.0)


def test_protected_is_never_before_the_move_and_none_without_one():
    assert report.protected_s([row("a", 10, 0.5)], GUILTY, 9_000, 5.0, 30) == 5.0
    assert report.protected_s([row("a", 10, 20)], GUILTY, 9_000, None, 30) is None


def test_moves_count_from_the_floods_first_event():
    shown = report.moves([Move("noisy", Lane.GENERAL, Lane.OVERFLOW, "why", 1_700_000_007_500)], 1_700_000_000_000)
    assert shown == [
        {
            "token": "noisy",
            "from": "general",
            "to": "overflow",
            "reason": "why",
            "at": "2023-11-14T22:13:27.500+00:00",
            "at_s": 7.5,
        }
    ]


@pytest.mark.parametrize(
    ("value", "cost"),
    [
        (b'{"properties": {"cost_ms": 80}}', 0.08),
        (b'{"properties": {}}', 0.0),
        (b'{"properties": {"cost_ms": -5}}', 0.0),
        (b'{"properties": {"cost_ms": 1e12}}', 5.0),
        (b'{"properties": {"cost_ms": "much"}}', 0.0),
        (b"[1]", 0.0),
        (b"no json", 0.0),
    ],
)
def test_the_cost_of_a_payload_is_what_it_asks_for_within_limits(value, cost):
    assert cost_s(value) == cost
