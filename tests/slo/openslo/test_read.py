"""Which documents are OpenSLO v1 and which are not, with path and reason."""

import pytest

from slo.openslo.read import Bundle, read

RATIO = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout
  displayName: Checkout answers
  labels: {team: shop, tags: [a, b]}
  annotations: {example.com/board: abc}
spec:
  description: Requests that are answered.
  service: shop
  indicator:
    metadata: {name: answered}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: 'sum(http_good_total)'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(http_total)'}}}
  timeWindow:
    - duration: 28d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: answered
      target: 0.995
"""
THRESHOLD = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: latency}
spec:
  service: shop
  indicatorRef: p95
  timeWindow: [{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}}]
  budgetingMethod: Timeslices
  objectives:
    - {op: lte, value: 0.2, targetPercent: 99.9, timeSliceTarget: 1.0, timeSliceWindow: 5m}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: p95}
spec:
  thresholdMetric: {metricSource: {metricSourceRef: prom, spec: {query: p95}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: 'http://prometheus:9090'}}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: shop}
"""
ALERTS = """
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: burns}]
  notificationTargets: [{targetRef: on-call}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: burns}
spec:
  severity: page
  condition: {kind: burnrate, op: gte, threshold: 10, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: slack, description: The people on call.}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: inline}
spec:
  conditions:
    - kind: AlertCondition
      metadata: {name: slow}
      spec: {severity: ticket, condition: {kind: burnrate, op: lte, threshold: 2, lookbackWindow: 6h, alertAfter: 0m}}
  notificationTargets:
    - {kind: AlertNotificationTarget, metadata: {name: mail}, spec: {target: email}}
"""


def one(text: str) -> Bundle:
    return read([("slo.yaml", text)])


@pytest.mark.parametrize(
    ("text", "count"), [(RATIO, 1), (THRESHOLD, 4), (ALERTS, 4)], ids=["ratio", "threshold", "alerts"]
)
def test_what_the_specification_allows_is_taken(text: str, count: int) -> None:
    bundle = one(text)
    assert [str(p) for p in (*bundle.problems, *bundle.unresolved)] == []
    assert len(bundle.objects) == count


def changed(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a number of minutes as a time slice", "timeSliceWindow: 5m", "timeSliceWindow: 5"),
        (
            "calendar windows may say that they do not roll",
            "timeZone: Europe/Berlin}",
            "timeZone: UTC}, isRolling: false",
        ),
        ("long names with dots and slashes", "name: latency", "name: shop/latency.p95"),
        ("a target of zero", "targetPercent: 99.9", "target: 0"),
        ("the third method", "budgetingMethod: Timeslices", "budgetingMethod: RatioTimeslices"),
    ],
)
def test_this_too_is_allowed(name: str, old: str, new: str) -> None:
    assert [str(p) for p in one(changed(THRESHOLD, old, new)).problems] == []


@pytest.mark.parametrize(
    ("name", "text", "old", "new"),
    [
        ("alertPolicies at the end, as in the specification's examples", RATIO, "  budgetingMethod", "  alertPolicies:\n  budgetingMethod"),
        ("description", RATIO, "description: Requests that are answered.", "description:"),
        ("indicatorRef beside an indicator", RATIO, "  service: shop", "  service: shop\n  indicatorRef:"),
        ("labels and annotations", RATIO, "labels: {team: shop, tags: [a, b]}", "labels:"),
        ("displayName of a threshold", RATIO, "displayName: answered", "displayName: ~"),
    ],
)  # fmt: skip
def test_a_known_key_without_a_value_is_left_out(name: str, text: str, old: str, new: str) -> None:
    assert [str(p) for p in one(changed(text, old, new)).problems] == []


def test_a_key_without_a_value_is_still_missing_or_unknown() -> None:
    missing = one(changed(RATIO, "  service: shop", "  service:")).problems
    assert [(p.path, p.reason) for p in missing] == [("spec.service", "is missing")]
    unknown = one(changed(RATIO, "  service: shop", "  service: shop\n  owner:")).problems
    assert [(p.path, p.reason) for p in unknown] == [("spec.owner", "unknown field")]


INVALID = [
    ("an other version", RATIO, "openslo/v1\n", "openslo/v1alpha\n", "apiVersion", "must be openslo/v1"),
    ("an unknown kind", RATIO, "kind: SLO", "kind: SLOO", "kind", "did you mean SLO"),
    ("no name", RATIO, "  name: checkout\n", "", "metadata.name", "missing"),
    ("capitals in a name", RATIO, "name: checkout", "name: CheckOut", "metadata.name", "is no name"),
    ("a dash at the end of a name", RATIO, "name: checkout", "name: checkout-", "metadata.name", "is no name"),
    ("an unknown field at the top", RATIO, "kind: SLO", "kind: SLO\nextra: 1", "extra", "unknown field"),
    ("an unknown field in spec", RATIO, "  service: shop", "  service: shop\n  owner: me", "spec.owner", "unknown field"),
    ("a field in snake_case", RATIO, "displayName: answered", "display_name: answered", "spec.objectives.0.display_name", "unknown field"),
    ("no service", RATIO, "  service: shop\n", "", "spec.service", "missing"),
    ("no method", RATIO, "  budgetingMethod: Occurrences\n", "", "spec.budgetingMethod", "missing"),
    ("an unknown method", RATIO, "Occurrences", "Occurences", "spec.budgetingMethod", "'Occurrences'"),
    ("a target of one", RATIO, "target: 0.995", "target: 1.0", "spec.objectives.0.target", "less than 1"),
    ("a negative target", RATIO, "target: 0.995", "target: -0.1", "spec.objectives.0.target", "greater than or equal"),
    ("a hundred percent", RATIO, "target: 0.995", "targetPercent: 100", "spec.objectives.0.targetPercent", "less than 100"),
    ("both kinds of target", RATIO, "target: 0.995", "target: 0.9\n      targetPercent: 90", "spec.objectives.0", "exactly one"),
    ("no target", RATIO, "      target: 0.995\n", "", "spec.objectives.0", "exactly one"),
    ("a target in words", RATIO, "target: 0.995", "target: '0.995'", "spec.objectives.0.target", "no number"),
    ("a target that is no number", RATIO, "target: 0.995", "target: .nan", "spec.objectives.0.target", ""),
    ("no objectives", RATIO, "    - displayName: answered\n      target: 0.995\n", "    []\n", "spec.objectives", "at least 1"),
    ("two windows", RATIO, "    - duration: 28d\n      isRolling: true", "    - {duration: 28d, isRolling: true}\n    - {duration: 7d, isRolling: true}", "spec.timeWindow", "at most 1"),
    ("a window that neither rolls nor has a calendar", RATIO, "      isRolling: true\n", "", "spec.timeWindow.0", "calendar is needed"),
    ("a rolling window with a calendar", THRESHOLD, "{duration: 1M, ", "{duration: 1M, isRolling: true, ", "spec.timeWindow.0", "cannot stand beside"),
    ("a duration without a unit", RATIO, "28d", "28", "spec.timeWindow.0.duration", "no duration"),
    ("seconds", RATIO, "28d", "28s", "spec.timeWindow.0.duration", "no duration"),
    ("a duration of nothing", RATIO, "28d", "0d", "spec.timeWindow.0.duration", "no duration"),
    ("a date that does not exist", THRESHOLD, "2026-01-01 00:00:00", "2026-02-30 00:00:00", "spec.timeWindow.0.calendar.startTime", "no time that exists"),
    ("a zone that does not exist", THRESHOLD, "Europe/Berlin", "Europe/Atlantis", "spec.timeWindow.0.calendar.timeZone", "no zone"),
    ("both kinds of indicator", RATIO, "  service: shop", "  service: shop\n  indicatorRef: x", "spec", "exactly one of indicator"),
    ("good and bad", RATIO, "        total:", "        bad: {metricSource: {type: Prometheus, spec: {query: x}}}\n        total:", "spec.indicator.spec.ratioMetric", "good and bad"),
    ("no total", RATIO, "        total: {metricSource: {type: Prometheus, spec: {query: 'sum(http_total)'}}}\n", "", "spec.indicator.spec.ratioMetric", "total and raw"),
    ("a metric source without a spec", RATIO, ", spec: {query: 'sum(http_total)'}", "", "spec.indicator.spec.ratioMetric.total.metricSource.spec", "missing"),
    ("a metric source of no type", RATIO, "{type: Prometheus, spec: {query: 'sum(http_total)'}}", "{spec: {query: x}}", "spec.indicator.spec.ratioMetric.total.metricSource", "type is needed"),
    ("a threshold without op, over a reference", THRESHOLD, "op: lte, ", "", "spec.objectives", "op and value"),
    ("an unknown op", THRESHOLD, "op: lte", "op: le", "spec.objectives.0.op", "'lt'"),
    ("time slices without a window", THRESHOLD, ", timeSliceWindow: 5m", "", "spec", "timeSliceWindow is needed"),
    ("time slices without a target", THRESHOLD, "timeSliceTarget: 1.0, ", "", "spec", "timeSliceTarget is needed"),
    ("a time slice target of zero", THRESHOLD, "timeSliceTarget: 1.0", "timeSliceTarget: 0", "spec.objectives.0.timeSliceTarget", "greater than 0"),
    ("a label key with a space", RATIO, "{team: shop", "{'te am': shop", "metadata.labels", "no label key"),
    ("an annotation prefix in capitals", RATIO, "example.com/board", "Example.com/board", "metadata.annotations", "no annotation key"),
    ("a description too long", RATIO, "Requests that are answered.", "x" * 1051, "spec.description", "1050"),
    ("two conditions", ALERTS, "[{conditionRef: burns}]", "[{conditionRef: burns}, {conditionRef: burns}]", "spec.conditions", "at most 1"),
    ("no targets of an alert", ALERTS, "[{targetRef: on-call}]", "[]", "spec.notificationTargets", "at least 1"),
    ("no severity", ALERTS, "  severity: page\n", "", "spec.severity", "missing"),
    ("an unknown condition", ALERTS, "{kind: burnrate, op: gte", "{kind: static, op: gte", "spec.condition.kind", "'burnrate'"),
    ("no threshold", ALERTS, "threshold: 10, ", "", "spec.condition.threshold", "missing"),
    ("a reference beside an inline condition", ALERTS, "    - kind: AlertCondition", "    - conditionRef: burns\n      kind: AlertCondition", "spec.conditions.0", "cannot stand beside"),
    ("a data source of no type", THRESHOLD, "{type: Prometheus, connection", "{connection", "spec.type", "missing"),
    ("a flag in words", ALERTS, "alertWhenBreaching: true", "alertWhenBreaching: 'true'", "spec.alertWhenBreaching", "neither true nor false"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "old", "new", "path", "reason"), INVALID, ids=[row[0] for row in INVALID])
def test_what_the_specification_does_not_allow_is_refused_with_path_and_reason(
    name: str, text: str, old: str, new: str, path: str, reason: str
) -> None:
    problems = one(changed(text, old, new)).problems
    assert [p.path for p in problems] == [path], [str(p) for p in problems]
    assert reason in problems[0].reason


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("no YAML", "a: [1", "line 1"),
        ("a list", "- 1", "no mapping"),
        ("a word", "hello", "no mapping"),
        ("a key twice", "kind: SLO\nkind: SLI\n", "stands twice"),
        ("an alias that holds itself", "a: &a [*a]", "refers to itself"),
        ("too deep", "a: " + "[" * 200 + "]" * 200, "nested"),
        ("an object of Python", "a: !!python/object/apply:os.system ['true']", "constructor"),
        ("a key that is a list", "? [1]\n: 2", "plain word"),
        ("a tab", "a:\n\t- b", "line 2"),
    ],
)
def test_a_text_that_is_no_document_is_refused(name: str, text: str, reason: str) -> None:
    problems = one(text).problems
    assert problems
    assert reason in problems[0].reason


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    problems = one("\n".join(lines)).problems
    assert "aliases written out" in problems[0].reason


def test_a_text_of_many_megabytes_is_refused() -> None:
    assert "MiB" in one("a: " + "x" * 5_000_000).problems[0].reason


def test_an_object_twice_is_refused_and_the_first_is_named() -> None:
    problems = read([("a.yaml", RATIO), ("b.yaml", RATIO)]).problems
    assert [(p.file, p.path) for p in problems] == [("b.yaml", "metadata.name")]
    assert "a.yaml:2" in problems[0].reason


def test_a_problem_names_file_line_and_object() -> None:
    (problem,) = one(changed(RATIO, "target: 0.995", "target: 2")).problems
    assert str(problem).startswith("slo.yaml:25: SLO 'checkout': spec.objectives.0.target: ")


def test_a_reference_to_what_is_not_in_the_set_is_valid_but_told() -> None:
    bundle = one(changed(THRESHOLD, "indicatorRef: p95", "indicatorRef: other"))
    assert bundle.problems == ()
    assert [p.path for p in bundle.unresolved] == ["spec.indicatorRef"]


def test_an_empty_text_has_nothing_in_it() -> None:
    assert one("").objects == {}
    assert one("---\n---\n").problems == ()
