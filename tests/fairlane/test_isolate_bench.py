"""`fairlane bench decide`, made small: it finds its flood and reports what it promises."""

import pytest

from fairlane.bench import decide


def test_the_benchmark_decides_something_and_reports_time_memory_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "TOKENS", 20_000)
    monkeypatch.setattr(decide, "PARTITIONS", 32)
    monkeypatch.setattr(decide, "WORKERS", 2)
    result = decide.measure()
    assert {"tick_s", "rss_mb", "limit"} <= result.keys()
    assert 0 < float(str(result["tick_s"])) < 5
