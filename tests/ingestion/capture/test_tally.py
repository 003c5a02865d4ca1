"""What capture tells of a second: counts that begin anew, and requests by whose doing their time was."""

from prometheus_client import CollectorRegistry

from ingestion.capture.tally import Tally
from ingestion.contracts.telemetry import CAPTURE_SLOW_S
from slo.presets import CAPTURE_WITHIN_S


def test_slow_requests_are_counted_but_not_those_that_the_client_kept_waiting() -> None:
    tally = Tally("p", CollectorRegistry())
    for status, seconds in ((202, 0.2), (202, 0.201), (503, 9.0), (422, 0.01), (408, 30.0), (499, 5.0)):
        tally.request(status, seconds)
    report = tally.report(1, 1.0)
    assert (report.requests, report.slow) == (4, 2)
    assert (tally.report(2, 1.0).requests, tally.report(2, 1.0).slow) == (0, 0), "the next interval begins at nothing"


def test_what_is_slow_is_what_the_objective_promises() -> None:
    assert CAPTURE_SLOW_S == CAPTURE_WITHIN_S
