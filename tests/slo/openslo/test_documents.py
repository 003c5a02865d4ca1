"""Whole documents, written from the specification's text: what it allows is valid, what it does not allow is not."""

import pytest

from slo.openslo.read import read

HEAD = "apiVersion: openslo/v1\nkind: {kind}\nmetadata: {{name: a}}\n"
QUERY = "{metricSource: {type: Prometheus, spec: {query: up}}}"


def document(kind: str, spec: str) -> str:
    return HEAD.format(kind=kind) + "spec:\n" + "".join(f"  {line}\n" for line in spec.strip().splitlines())


def slo(
    objectives: str = "[{target: 0.99}]",
    *,
    window: str = "[{duration: 4w, isRolling: true}]",
    method: str = "Occurrences",
    indicator: str = "indicatorRef: some",
    more: str = "",
) -> str:
    spec = f"service: s\n{indicator}\ntimeWindow: {window}\nbudgetingMethod: {method}\nobjectives: {objectives}\n{more}"
    return document("SLO", spec)


def inline(metric: str) -> str:
    return f"indicator: {{metadata: {{name: i}}, spec: {{{metric}}}}}"


def condition(text: str) -> str:
    return document("AlertCondition", f"severity: page\ncondition: {{{text}}}")


BURN = "op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 5m"

VALID = [
    ("a service that says nothing more", HEAD.format(kind="Service")),
    ("an SLO without a window", slo().replace("  timeWindow: [{duration: 4w, isRolling: true}]\n", "")),
    ("every unit of a duration", "---\n".join(slo(window=f"[{{duration: 1{u}, isRolling: true}}]").replace("name: a", f"name: a{n}") for n, u in enumerate("mhdwMQY"))),
    ("a window of a calendar", slo(window="[{duration: 1Q, calendar: {startTime: 2020-01-21 12:30:00, timeZone: America/New_York}}]")),
    ("the same, quoted", slo(window='[{duration: "366d", calendar: {startTime: "2020-01-21 12:30:00", timeZone: UTC}, isRolling: false}]')),
    ("several thresholds of a ratio", slo("[{displayName: Foo, target: 0.98}, {displayName: Bar, targetPercent: 99.99}]", indicator=inline(f"ratioMetric: {{good: {QUERY}, total: {QUERY}}}"))),
    ("a finished ratio of failures", slo(indicator=inline(f"ratioMetric: {{rawType: failure, raw: {QUERY}}}"))),
    ("a finished ratio with an ignored counter", slo(indicator=inline(f"ratioMetric: {{counter: true, rawType: success, raw: {QUERY}}}"))),
    ("bad over total", slo(indicator=inline(f"ratioMetric: {{counter: false, bad: {QUERY}, total: {QUERY}}}"))),
    ("a threshold by occurrences", slo("[{op: gt, value: -5, target: 0.5}]", indicator=inline(f"thresholdMetric: {QUERY}"))),
    ("averages of slices without a slice target", slo("[{target: 0.9, timeSliceWindow: 1d}]", method="RatioTimeslices")),
    ("slices as a number of minutes", slo("[{target: 0.9, timeSliceTarget: 0.95, timeSliceWindow: 5}]", method="Timeslices")),
    ("a target of nothing", slo("[{targetPercent: 0}]")),
    ("a source of another vendor with a list", slo(indicator=inline("thresholdMetric: {metricSource: {type: CloudWatch, spec: {dimensions: [{name: x}], stat: p99}}}")).replace("{target: 0.99}", "{target: 0.99, op: lte, value: 1}")),
    ("a policy of references that says nothing of when", document("AlertPolicy", "conditions: [{conditionRef: c}]\nnotificationTargets: [{targetRef: t}, {targetRef: u}]")),
    ("a policy inside of an SLO", slo(more=f"alertPolicies: [{{kind: AlertPolicy, metadata: {{name: p}}, spec: {{alertWhenBreaching: true, conditions: [{{kind: AlertCondition, metadata: {{name: c}}, spec: {{severity: sev1, condition: {{kind: burnrate, {BURN}}}}}}}], notificationTargets: [{{targetRef: t}}]}}}}]")),
    ("a condition whose kind is the default", condition(BURN)),
    ("a condition that need not hold", condition("op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 0m")),
    ("references by path, and by the names of the specification's own examples", document("AlertPolicy", "conditions: [{conditionRef: ./conditions/fast.yaml}]\nnotificationTargets: [{targetRef: OnCallDevopsMailNotification}]")),
    ("a data source with anything in it", document("DataSource", "type: Redshift\nconnectionDetails: [1, {a: {b: ~}}, x]")),
    ("a data source without details", document("DataSource", "type: Prometheus")),
    ("labels in both shapes and an annotation with a prefix", HEAD.format(kind="Service").replace("{name: a}", "{name: a, displayName: A, labels: {team: identity, tags: [auth, b], a.b_C-d: x}, annotations: {openslo.com/key1: v, key: w}}")),
    ("the longest description", document("Service", f"description: {'d' * 1050}")),
    ("a name of one digit", HEAD.format(kind="Service").replace("name: a", "name: '1'")),
    ("a long name with what is encouraged", HEAD.format(kind="Service").replace("name: a", f"name: team/a.b|{'x' * 200}")),
    ("JSON", '{"apiVersion": "openslo/v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"description": "d"}}'),
]  # fmt: skip

INVALID = [
    ("two ways to measure", slo(indicator=inline(f"thresholdMetric: {QUERY}, ratioMetric: {{good: {QUERY}, total: {QUERY}}}")), "spec.indicator.spec"),
    ("no way to measure", document("SLI", "description: nothing"), "spec"),
    ("only a total", document("SLI", f"ratioMetric: {{total: {QUERY}}}"), "spec.ratioMetric"),
    ("a finished ratio of no type", document("SLI", f"ratioMetric: {{raw: {QUERY}}}"), "spec.ratioMetric"),
    ("a finished ratio beside a total", document("SLI", f"ratioMetric: {{rawType: success, raw: {QUERY}, total: {QUERY}}}"), "spec.ratioMetric"),
    ("a type of ratio that is none", document("SLI", f"ratioMetric: {{rawType: good, raw: {QUERY}}}"), "spec.ratioMetric.rawType"),
    ("two thresholds of one value", slo("[{op: lt, value: 1, target: 0.9}, {op: lt, value: 2, target: 0.8}]", indicator=inline(f"thresholdMetric: {QUERY}")), "spec"),
    ("a threshold without a value", slo("[{op: lt, target: 0.9}]", indicator=inline(f"thresholdMetric: {QUERY}")), "spec"),
    ("a unit in capitals", slo(window="[{duration: 4W, isRolling: true}]"), "spec.timeWindow.0.duration"),
    ("a blank in a duration", slo(window="[{duration: 4 w, isRolling: true}]"), "spec.timeWindow.0.duration"),
    ("a part of a unit", slo(window="[{duration: 1.5h, isRolling: true}]"), "spec.timeWindow.0.duration"),
    ("two units", slo(window="[{duration: 1h30m, isRolling: true}]"), "spec.timeWindow.0.duration"),
    ("no window in the list", slo(window="[]"), "spec.timeWindow"),
    ("a window that is no list", slo(window="{duration: 4w, isRolling: true}"), "spec.timeWindow"),
    ("a time with a zone of its own", slo(window="[{duration: 1M, calendar: {startTime: 2020-01-21T12:30:00Z, timeZone: UTC}}]"), "spec.timeWindow.0.calendar.startTime"),
    ("a time in a short form", slo(window="[{duration: 1M, calendar: {startTime: 2020-1-21 0:0:0, timeZone: UTC}}]"), "spec.timeWindow.0.calendar.startTime"),
    ("an hour that does not exist", slo(window="[{duration: 1M, calendar: {startTime: 2020-01-21 24:00:00, timeZone: UTC}}]"), "spec.timeWindow.0.calendar.startTime"),
    ("a zone that is another on each machine", slo(window="[{duration: 1M, calendar: {startTime: 2020-01-21 12:30:00, timeZone: localtime}}]"), "spec.timeWindow.0.calendar.timeZone"),
    ("a calendar without a zone", slo(window="[{duration: 1M, calendar: {startTime: 2020-01-21 12:30:00}}]"), "spec.timeWindow.0.calendar.timeZone"),
    ("a slice target over one", slo("[{target: 0.9, timeSliceTarget: 1.01, timeSliceWindow: 1m}]", method="Timeslices"), "spec.objectives.0.timeSliceTarget"),
    ("a slice without an end", slo("[{target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: .inf}]", method="Timeslices"), "spec.objectives.0.timeSliceWindow"),
    ("half a minute", slo("[{target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: 0.5}]", method="Timeslices"), "spec.objectives.0.timeSliceWindow"),
    ("a method in lower case", slo(method="occurrences"), "spec.budgetingMethod"),
    ("an infinite threshold", condition("op: gt, threshold: .inf, lookbackWindow: 1h, alertAfter: 5m"), "spec.condition.threshold"),
    ("no lookback", condition("op: gt, threshold: 2, alertAfter: 5m"), "spec.condition.lookbackWindow"),
    ("nothing to look back on", condition("op: gt, threshold: 2, lookbackWindow: 0m, alertAfter: 5m"), "spec.condition.lookbackWindow"),
    ("a condition that must hold for seconds", condition("op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 30s"), "spec.condition.alertAfter"),
    ("a policy without a condition", document("AlertPolicy", "conditions: []\nnotificationTargets: [{targetRef: t}]"), "spec.conditions"),
    ("an inline condition without a name", document("AlertPolicy", f"conditions: [{{kind: AlertCondition, spec: {{severity: page, condition: {{{BURN}}}}}}}]\nnotificationTargets: [{{targetRef: t}}]"), "spec.conditions.0"),
    ("an inline target of another kind", document("AlertPolicy", "conditions: [{conditionRef: c}]\nnotificationTargets: [{kind: Service, metadata: {name: t}, spec: {target: x}}]"), "spec.notificationTargets.0.kind"),
    ("a target that says nothing", document("AlertNotificationTarget", "description: d"), "spec.target"),
    ("a reference to nothing", document("AlertPolicy", "conditions: [{conditionRef: ' '}]\nnotificationTargets: [{targetRef: t}]"), "spec.conditions.0.conditionRef"),
    ("a list of labels that holds a number", HEAD.format(kind="Service").replace("{name: a}", "{name: a, labels: {tags: [a, 1]}}"), "metadata.labels.tags"),
    ("a label that is a flag", HEAD.format(kind="Service").replace("{name: a}", "{name: a, labels: {userImpacting: true}}"), "metadata.labels.userImpacting"),
    ("an annotation with two slashes", HEAD.format(kind="Service").replace("{name: a}", "{name: a, annotations: {a/b/c: x}}"), "metadata.annotations"),
    ("a name of 256 letters", HEAD.format(kind="Service").replace("name: a", f"name: {'a' * 256}"), "metadata.name"),
    ("a name that is a number", HEAD.format(kind="Service").replace("name: a", "name: 1"), "metadata.name"),
    ("no metadata", "apiVersion: openslo/v1\nkind: Service\nspec: {}\n", "metadata"),
    ("no version", "kind: Service\nmetadata: {name: a}\n", "apiVersion"),
    ("a spec that is a word", document("DataSource", "type: x").replace("spec:\n  type: x", "spec: x"), "spec"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), VALID, ids=[row[0] for row in VALID])
def test_it_is_valid(name: str, text: str) -> None:
    assert [str(problem) for problem in read([("a.yaml", text)]).problems] == []


@pytest.mark.parametrize(("name", "text", "path"), INVALID, ids=[row[0] for row in INVALID])
def test_it_is_not_valid(name: str, text: str, path: str) -> None:
    problems = read([("a.yaml", text)]).problems
    assert {problem.path for problem in problems} >= {path}, [str(p) for p in problems]
