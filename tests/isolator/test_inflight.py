"""What workers say about single records."""

from dataclasses import replace

import numpy as np
import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import OTHER, Trouble, TroubleKind
from isolator.columns import WorkerColumns
from isolator.inflight import longest, troubles
from isolator.slots import Slot

NOW_MS = 1_000_000
NONE = np.zeros(0)
NOBODY = np.zeros(0, dtype=np.int64)
REPORT = WorkerColumns(
    NOW_MS, 1.0, Lane.GENERAL, "0", "b", 0.0, NOBODY, NONE, NONE, NONE, NONE, NOBODY, NOBODY, NONE, NONE, NONE, NONE, NONE
)  # fmt: skip


def slot(age_ms: int = 0, *in_flight: tuple[int, int, float], said: tuple[Trouble, ...] = ()) -> Slot:
    one = Slot("0", at_ms=NOW_MS - age_ms)
    one.last = replace(REPORT, in_flight=in_flight, troubles=said)
    return one


@pytest.mark.parametrize(
    ("age_ms", "seconds"),
    [(0, 9.0), (800, 9.8), (2_000, 11.0), (9_000, 11.0), (-5_000, 9.0)],
    ids=["just told", "told a while ago", "as late as a report may be", "a silent worker", "a clock ahead"],
)
def test_a_record_runs_on_between_reports_but_not_for_ever(age_ms: int, seconds: float) -> None:
    assert longest([slot(age_ms, (7, 3, 9.0))], NOW_MS) == {7: (3, pytest.approx(seconds))}


def test_the_longest_of_a_token_counts() -> None:
    found = longest([slot(0, (7, 3, 9.0), (8, 1, 2.0)), slot(500, (7, 4, 8.9))], NOW_MS)
    assert found == {7: (4, pytest.approx(9.4)), 8: (1, 2.0)}
    assert longest([Slot("new")], NOW_MS) == {}


def test_the_worst_trouble_of_a_token_counts_whatever_the_lane() -> None:
    failing, hung = Trouble("a", 1, TroubleKind.FAILING, 9), Trouble("a", 2, TroubleKind.HUNG, 1)
    rest = Trouble(OTHER, 1, TroubleKind.HUNG, 3)
    found = troubles([[slot(said=(failing, rest))], [slot(said=(hung, Trouble("b", 1, TroubleKind.HUNG)))]])
    assert found["a"] == hung
    assert sorted(found) == ["a", "b"]
