"""`fairlane bench decide`, made small: it finds its flood, moves nobody when nothing is the matter, and reports what it promises."""

from dataclasses import replace

import pytest

from fairlane.bench import decide
from isolator.brain import MOST_TOKENS

SMALL = replace(decide.CASES["million"], tokens=20_000, partitions=32, workers=2, ticks=8, flood_at=3)
CALM = replace(decide.CASES["calm"], tokens=5_000, active=500, ticks=5)


@pytest.mark.parametrize("case", [SMALL, CALM], ids=["flood", "calm"])
def test_the_benchmark_decides_something_and_reports_time_and_memory(case: decide.Case) -> None:
    result = decide.measure(case)
    assert {"tick_s", "tick_cpu_s", "rss_mb", "tokens"} <= result.keys()
    assert 0 < float(str(result["tick_s"])) < 5
    assert float(str(result["bare_s"])) > 0
    assert float(str(result["times_bare"])) > 0.1, "a decision cannot be had for less than its arithmetic"


def test_a_benchmark_that_finds_no_flood_fails() -> None:
    with pytest.raises(AssertionError, match="not found"):
        decide.measure(replace(CALM, flood_at=5))


def test_a_benchmark_whose_tokens_are_forgotten_on_the_way_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(case.tokens for case in decide.CASES.values()) < MOST_TOKENS
    monkeypatch.setattr("isolator.brain.MOST_TOKENS", CALM.tokens - 1)
    monkeypatch.setattr("isolator.snapshot.KEEP", 100)
    with pytest.raises(AssertionError, match="forgotten"):
        decide.measure(CALM)


def test_every_case_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "CASES", {"calm": decide.CASES["calm"]})
    told: list[str] = []
    result = decide.run(told.append)
    assert {"tick_s", "rss_mb", "limit", "cases"} <= result.keys()
    assert len(told) == 2
