"""OpenSLO documents become objectives, or say why they cannot."""

from decimal import Decimal
from fractions import Fraction

import pytest

from slo.calendar import Calendar, Unit
from slo.objective import Objective, Sli
from slo.openslo.duration import parse_duration
from slo.openslo.read import read
from slo.openslo.translate import Translation, objective_name, translate
from slo.source import Op, Push, Ratio, Raw, Timeslices
from slo.windows import DAY, HOUR, Pair, Tier
from tests.slo.openslo.test_read import ALERTS, RATIO, THRESHOLD, changed

URL = "http://prometheus:9090"


def of(*texts: str, windows: str = "google-mwmb") -> Translation:
    bundle = read([(f"{n}.yaml", text) for n, text in enumerate(texts)])
    assert bundle.problems == ()
    return translate(bundle, prometheus=URL, windows=windows)


def single(*texts: str) -> Objective:
    found = of(*texts)
    assert [str(p) for p in (*found.refused, *found.left_out)] == []
    (objective,) = found.objectives
    return objective


def test_a_ratio_of_counters() -> None:
    objective = single(RATIO)
    assert objective.name == "checkout"
    assert (objective.sli, objective.target, objective.window_days) == (Sli.EXTERNAL, Decimal("0.995"), 28)
    assert objective.source == Ratio(URL, "sum(http_total)", "sum(http_good_total)", "", counter=True)
    assert (objective.unit, objective.timeslices, objective.calendar) == ("events", None, None)
    assert (objective.owner, objective.service, objective.title) == ("shop", "shop", "answered")
    assert [p.name for p in objective.pairs] == ["1h/5m", "6h/30m", "1d/2h", "3d/6h"]


def test_a_threshold_in_time_slices_of_a_calendar_month() -> None:
    objective = single(THRESHOLD)
    assert objective.source == Raw("http://prometheus:9090", "p95", Op.LTE, 0.2)
    assert objective.timeslices == Timeslices(300, Decimal("1.0"))
    assert objective.calendar == Calendar(Unit.MONTH, "Europe/Berlin")
    assert (objective.target, objective.unit, objective.window_days) == (Decimal("0.999"), "seconds", 30)


def test_alert_policies_are_the_windows() -> None:
    text = changed(RATIO, "  objectives:", "  alertPolicies: [{alertPolicyRef: fast}]\n  objectives:")
    assert single(text, ALERTS).pairs == (Pair(HOUR, 300, Fraction(10), Tier.PAGE),)


def test_an_alert_below_a_burn_rate_is_valid_and_left_out() -> None:
    policy = changed(ALERTS, "spec:\n  conditions:", "spec:\n  alertWhenBreaching: true\n  conditions:")
    text = changed(RATIO, "  objectives:", "  alertPolicies: [{alertPolicyRef: inline}]\n  objectives:")
    found = of(text, policy)
    assert [n.path for n in found.notes] == ["spec.alertPolicies.0"]
    assert "above its threshold" in found.notes[0].reason
    assert found.objectives[0].pairs == single(RATIO).pairs


def test_every_threshold_of_a_ratio_is_an_objective() -> None:
    text = changed(RATIO, "      target: 0.995\n", "      target: 0.995\n    - {target: 0.9}\n")
    found = of(text)
    assert [(o.name, o.target) for o in found.objectives] == [
        ("checkout", Decimal("0.995")),
        ("checkout-2", Decimal("0.9")),
    ]
    # at 90 % even a total outage burns at 10 only
    assert [p.name for p in found.objectives[1].pairs] == ["6h/30m", "1d/2h", "3d/6h"]
    assert [n.reason for n in found.notes] == [
        "the alert windows 1h/5m are left out: at target 0.9 they could never fire"
    ]


@pytest.mark.parametrize(
    ("name", "text", "old", "new", "path", "reason"),
    [
        ("a target of zero", RATIO, "target: 0.995", "target: 0", "spec.objectives.0.target", "promises nothing"),
        ("averages of ratios", THRESHOLD, "Timeslices", "RatioTimeslices", "spec.budgetingMethod", "averages"),
        ("an other metric source", RATIO, "{type: Prometheus, spec: {query: 'sum(http_total)'}}", "{type: Datadog, spec: {query: x}}", "spec.indicator", "not read here"),
        ("no query", RATIO, "{query: 'sum(http_total)'}", "{q: x}", "spec.indicator", "PromQL"),
        ("hours as a rolling window", RATIO, "28d", "12h", "spec.timeWindow.0.duration", "whole number of days"),
        ("two months of a calendar", THRESHOLD, "1M", "2M", "spec.timeWindow.0.duration", "1d, 1w, 1M, 1Q and 1Y"),
        ("a slice of a day", THRESHOLD, "timeSliceWindow: 5m", "timeSliceWindow: 1d", "spec.objectives.0.timeSliceWindow", "one minute to one hour"),
        ("an SLI that is not there", THRESHOLD, "indicatorRef: p95", "indicatorRef: other", "spec.indicatorRef", "no SLI"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_here_is_left_out_with_the_reason(
    name: str, text: str, old: str, new: str, path: str, reason: str
) -> None:
    (left_out,) = of(changed(text, old, new)).left_out
    assert left_out.path == path
    assert reason in left_out.reason


def test_an_unreachable_factor_of_ones_own_is_refused() -> None:
    text = changed(RATIO, "  objectives:", "  alertPolicies: [{alertPolicyRef: fast}]\n  objectives:")
    (refused,) = of(changed(text, "0.995", "0.9"), ALERTS).refused
    assert "can never be exceeded" in refused.reason


def test_windows_that_are_too_short_for_the_time_slices_are_left_out() -> None:
    found = of(changed(THRESHOLD, "timeSliceWindow: 5m", "timeSliceWindow: 20m"))
    (one,) = found.objectives
    assert [p.name for p in one.pairs] == ["1d/2h", "3d/6h"]
    reason = "the alert windows 1h/5m, 6h/30m are left out: the short one holds less than two time slices of 20 min"
    assert reason in [n.reason for n in found.notes]


def test_a_target_that_no_window_reaches_is_refused() -> None:
    (refused,) = of(changed(RATIO, "0.995", "0.1"), windows="fast-slow").refused
    assert "could ever fire" in refused.reason


def test_slices_may_be_pushed() -> None:
    text = RATIO.replace("type: Prometheus", "type: push")
    assert single(text).source == Push()


def test_two_slos_of_one_name_after_shortening_are_refused() -> None:
    other = changed(RATIO, "name: checkout", "name: check.out")
    third = changed(RATIO, "name: checkout", "name: check-out")
    found = of(other, third)
    assert [o.name for o in found.objectives] == ["check-out"]
    assert "SLO 'check.out'" in found.refused[0].reason


def test_a_calendar_that_begins_elsewhere_is_told() -> None:
    found = of(changed(THRESHOLD, "2026-01-01 00:00:00", "2026-01-15 12:30:00"))
    assert "first midnight in Europe/Berlin" in found.notes[0].reason


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [("a", 0, "a"), ("a", 2, "a-3"), ("shop/a.b", 0, "shop-a-b"), ("x" * 200, 1, "x" * 61 + "-2")],
)
def test_an_objective_has_a_dns_label_for_a_name(name: str, number: int, expected: str) -> None:
    assert objective_name(name, number) == expected


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("12h", 12 * HOUR), ("4w", 28 * DAY), ("1Q", 90 * DAY)])
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text).seconds == seconds
    assert str(parse_duration(text)) == text
