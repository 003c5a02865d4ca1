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


def test_time_slices_too_long_for_every_window_are_refused_for_that_reason() -> None:
    text = changed(THRESHOLD, "timeSliceWindow: 5m", "timeSliceWindow: 1h")
    (refused,) = of(text, windows="fast-slow").refused
    assert (refused.path, "two time slices of 60 min" in refused.reason) == ("spec.objectives.0.timeSliceWindow", True)
    assert [p.name for p in single(text).pairs] == ["1d/2h", "3d/6h"], "which wake nobody"


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


def with_policy(alerts: str = ALERTS, name: str = "fast") -> Translation:
    return of(changed(RATIO, "  objectives:", f"  alertPolicies: [{{alertPolicyRef: {name}}}]\n  objectives:"), alerts)


@pytest.mark.parametrize(
    ("lookback", "after", "short_s"),
    [
        ("1h", "5m", 300),
        ("1h", "10m", 600),
        ("1h", "1m", 120),
        ("1h", "1h", 300),
        ("1h", "2h", 300),
        ("2d", "7h", 7 * HOUR),
        ("2d", "401m", 7 * HOUR),
    ],
)
def test_what_must_hold_for_a_while_is_the_short_window_and_that_is_told(
    lookback: str, after: str, short_s: int
) -> None:
    text = changed(
        changed(ALERTS, "lookbackWindow: 1h", f"lookbackWindow: {lookback}"), "alertAfter: 5m", f"alertAfter: {after}"
    )
    found = with_policy(text)
    ((pair,),) = (o.pairs for o in found.objectives)
    assert pair.short_s == short_s
    (note,) = (n for n in found.notes if "alertAfter" in n.reason)
    assert (note.object, note.path) == ("AlertCondition 'burns'", "spec.condition.alertAfter")
    assert f"does not wait for {after}" in note.reason
    assert note.line == 15


def test_what_need_not_hold_is_not_told() -> None:
    for text in (changed(ALERTS, "alertAfter: 5m", "alertAfter: 0m"), changed(ALERTS, ", alertAfter: 5m", "")):
        found = with_policy(text)
        assert not [n for n in found.notes if "alertAfter" in n.reason]
        assert found.objectives[0].pairs == (Pair(HOUR, 300, Fraction(10), Tier.PAGE),)


def test_an_inline_policy_is_told_where_it_stands() -> None:
    inline = """  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: own}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: false
        conditions:
          - kind: AlertCondition
            metadata: {name: fast}
            spec: {severity: page, condition: {op: gt, threshold: 10, lookbackWindow: 1h, alertAfter: 5m}}
        notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: x}, spec: {target: email}}]
  objectives:"""
    found = of(changed(RATIO, "  objectives:", inline))
    policy = "spec.alertPolicies.0.spec"
    assert [n.path for n in found.notes] == [
        f"{policy}.alertWhenResolved",
        f"{policy}.notificationTargets",
        f"{policy}.conditions.0.spec.condition.alertAfter",
    ]
    assert {n.object for n in found.notes} == {"SLO 'checkout'"}


def test_where_no_policy_asks_for_an_alert_nobody_is_paged() -> None:
    found = with_policy(changed(ALERTS, "  alertWhenBreaching: true", "  alertWhenBreaching: false"))
    (one,) = found.objectives
    assert {pair.tier for pair in one.pairs} == {Tier.TICKET}
    assert [p.name for p in one.pairs] == [p.name for p in single(RATIO).pairs]
    told = {(n.object, n.path) for n in found.notes}
    assert told == {("AlertPolicy 'fast'", "spec.alertWhenBreaching"), ("SLO 'checkout'", "spec.alertPolicies")}
    omitted = with_policy(changed(ALERTS, "  alertWhenBreaching: true\n", ""))
    assert {pair.tier for pair in omitted.objectives[0].pairs} == {Tier.TICKET}


def test_one_policy_that_asks_is_enough() -> None:
    both = "  alertPolicies: [{alertPolicyRef: inline}, {alertPolicyRef: fast}]\n  objectives:"
    found = of(changed(RATIO, "  objectives:", both), ALERTS)
    assert found.objectives[0].pairs == (Pair(HOUR, 300, Fraction(10), Tier.PAGE),)


def test_what_several_slos_share_is_told_once() -> None:
    ask = changed(RATIO, "  objectives:", "  alertPolicies: [{alertPolicyRef: fast}]\n  objectives:")
    found = of(ask, changed(ask, "name: checkout", "name: other"), ALERTS)
    assert len(found.objectives) == 2
    assert len({(n.object, n.path) for n in found.notes}) == len(found.notes) == 2


def test_details_of_a_connection_that_are_not_used_are_told_without_what_they_say() -> None:
    found = of(changed(THRESHOLD, "9090'}}", "9090', headers: {authorization: hunter2}, token: hunter2}}"))
    (note,) = (n for n in found.notes if n.path == "spec.connectionDetails")
    assert note.object == "DataSource 'prom'"
    assert note.reason == "only url is used here; headers, token are not"


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
