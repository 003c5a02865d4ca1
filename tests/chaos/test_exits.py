"""An exception that nobody caught is seen in a log, whatever stands around it."""

from pathlib import Path

import pytest

from tests.chaos.exits import exceptions, inexcusable

LED = """   12 ingestion.lanes.worker overflow: assigned [0]
Traceback (most recent call last):
  File "opening.py", line 65, in open_parts
%3|1795.211|FAIL|fairlane#producer-1| Connection refused
    topics = reports.list_topics(timeout=10).topics
             ^^^^^^^^^^^^^^^^^^^
cimpl.KafkaException: KafkaError{code=_TRANSPORT}

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "opening.py", line 67, in open_parts
    raise BrokerUnreachable(
slo.errors.BrokerUnreachable: Kafka at 127.0.0.1:1 does not answer
"""
THREAD = """Exception in thread handler-0:
Traceback (most recent call last):
  File "threading.py", line 1045, in _bootstrap_inner
    self.run()
KeyError: 3
   99 ingestion.lanes.worker goes on
"""
DUMP = """Current thread 0x00007f (most recent call first):
  File "worker.py", line 1 in run
"""


def test_of_a_chain_of_exceptions_the_last_one_counts() -> None:
    assert exceptions(LED) == ["slo.errors.BrokerUnreachable: Kafka at 127.0.0.1:1 does not answer"]


def test_an_exception_in_a_thread_of_a_living_worker_is_seen() -> None:
    assert exceptions(DUMP + THREAD + LED) == ["KeyError: 3", exceptions(LED)[0]]


def test_only_a_broker_that_is_away_excuses(tmp_path: Path) -> None:
    (tmp_path / "general-0-1.log").write_text(LED, encoding="utf-8")
    (tmp_path / "overflow-0-2.log").write_text(THREAD, encoding="utf-8")
    ends = [("general-0-1", 1), ("overflow-0-2", None)]
    assert inexcusable(ends, tmp_path) == ["overflow-0-2: uncaught KeyError: 3"]


@pytest.mark.parametrize(
    ("code", "said", "wrong"),
    [
        (-9, "", False),
        (0, "", False),
        (1, "another worker of lane general uses slot 0: give each its own --slot", False),
        (1, "", True),
        (75, LED, True),
        (-6, "Assertion failed", True),
    ],
    ids=["killed", "stopped", "slot-taken", "fatal-unexplained", "hung", "aborted"],
)
def test_an_exit_needs_a_reason(tmp_path: Path, code: int, said: str, wrong: bool) -> None:
    (tmp_path / "general-0-1.log").write_text(said, encoding="utf-8")
    assert bool(inexcusable([("general-0-1", code)], tmp_path)) is wrong
