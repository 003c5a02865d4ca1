"""The fault suite's own broker: it notices dead members and abandoned transactions sooner than Kafka's defaults allow."""

from collections.abc import Iterator

import pytest

from fairlane.stack.kafka import LocalKafka

IMPATIENT = {
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}


@pytest.fixture(scope="package")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A real broker for the suite."""
    with LocalKafka(tmp_path_factory.mktemp("faults"), properties=IMPATIENT) as broker:
        yield broker
