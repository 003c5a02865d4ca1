"""A real transaction, and what clocks may differ."""

import pytest

from fairlane.doctor import trial
from fairlane.stack.kafka import LocalKafka
from ingestion.lanes.topic_laws import Level
from slo.clock import SystemClock


class Ahead(SystemClock):
    """A machine whose clock is 60 s fast."""

    def now(self) -> float:
        return super().now() + 60


@pytest.mark.kafka
def test_it_tries_one_and_leaves_nothing(kafka: LocalKafka) -> None:
    admin = kafka.admin()
    found = trial.transaction(admin, kafka.config(), SystemClock(), 30)
    assert [(finding.where, finding.level) for finding in found] == [("transactions", Level.OK), ("clocks", Level.OK)]
    assert [name for name in admin.list_topics(timeout=10).topics if name.startswith("fairlane.doctor")] == []
    groups = admin.list_consumer_groups(request_timeout=10).result(10).valid
    assert [group.group_id for group in groups if group.group_id.startswith("fairlane.doctor")] == []


@pytest.mark.kafka
def test_a_fast_clock_is_seen(kafka: LocalKafka) -> None:
    found = trial.transaction(kafka.admin(), kafka.config(), Ahead(), 30)
    assert found[-1].level is Level.FAIL
    assert "behind ours" in found[-1].what


@pytest.mark.parametrize(
    ("appended", "level", "says"),
    [
        (10.0, Level.OK, ""),
        (10.5, Level.OK, ""),
        (9.6, Level.OK, ""),
        (9.0, Level.WARN, "1.0 s behind"),
        (12.5, Level.WARN, "2.0 s ahead"),
        (16.0, Level.FAIL, "5.5 s ahead"),
        (4.5, Level.FAIL, "5.5 s behind"),
    ],
)
def test_only_what_lies_outside_sending_and_confirmation_is_skew(appended: float, level: Level, says: str) -> None:
    finding = trial.judge_skew(10.0, appended, 10.5, slo_s=30)
    assert finding.level is level
    assert says in finding.what
