"""The evaluator against promtool: what it says of a table of expressions is handed to promtool as the expectation."""

import math
from pathlib import Path

import pytest
import yaml

from fairlane.pager.promql.evaluate import Moment
from fairlane.pager.promql.parse import NotUnderstood, parse
from fairlane.pager.promql.samples import Samples
from tests.fairlane.pager.test_conformance import values
from tests.support.promtool import Series, run

SERIES = [
    Series("c", {"job": "a", "lane": "x"}, "0+7x20 3+7x20"),
    Series("c", {"job": "b", "lane": "x"}, "5x10 _x5 40+1x25"),
    Series("c", {"job": "c", "lane": "y"}, "_x30 2+3x10"),
    Series("g", {"job": "a", "lane": "x"}, "10-1x40"),
    Series("g", {"job": "b", "lane": "x"}, "-3+0.5x40"),
    Series("g", {"job": "b", "lane": "y"}, "1x8 _x40"),
    Series("limit", {"lane": "x"}, "4x40"),
]
STEP_S, AT_S = 15, 600
EXPRESSIONS = (
    "c", 'c{lane="x"}', 'g{job=~"a|b",lane!="y"}', 'c{job!~"a.*"}', "c offset 5m", "g offset 1m", "time()", "vector(3) + 1",
    "increase(c[5m])", "increase(c[10m])", "rate(c[3m])", "delta(g[4m])", "last_over_time(g[20m])", "max_over_time(g[5m])", "min_over_time(g[5m] offset 2m)",
    "avg_over_time(c[5m])", "count_over_time(c[10m])", "sum_over_time(g[2m])", "sum by (lane) (c)", "sum(c)", "max without (job) (g)", "count by (job) (c)",
    "avg(c) by (lane)", "group by (lane) (c)", "min(g)", "-g", "2 * g - 1", "g / 0", "g % 3", "c > 40", "c > bool 40", "10 < c", "1 + 2 * 3", "(1 + 2) * 3",
    "c and g", "c or g", "c unless g", "c and on (lane) limit", "c unless on (lane) limit", "g > on (lane) group_left () limit", "c * ignoring (job) group_left () limit",
    "limit * on (lane) group_right () c", "sum by (lane) (c) / on (lane) limit", "absent(c)", "absent(nothing)", 'absent(nothing{job="z"})',
    "absent(last_over_time(nothing[1d]))", "clamp_min(g, 0)", "clamp_max(g, 1)", "abs(g)", "ceil(g / 4)", "floor(g / 4)", "scalar(limit) + vector(1)",
    'label_replace(g, "source", "probe", "", "")', 'label_replace(g, "source", "$1-$2", "job", "(.)(.*)")', "g == -3 or g != 10 and c",
    "time() - max by (lane) (last_over_time(g[1d])) > 60", "c > on (job, lane) g >= 0",
)  # fmt: skip


def evaluated(text: str) -> dict[frozenset[tuple[str, str]], float]:
    samples = Samples(began=-10_000)
    for one in SERIES:
        for n, value in enumerate(values(one.values)):
            if value is not None and n * STEP_S <= AT_S:
                samples.put(float(n * STEP_S), one.name, frozenset(one.labels.items()), value)
    return Moment(samples, float(AT_S), float(AT_S)).vector(parse(text))


@pytest.mark.prometheus
def test_what_it_says_is_what_promtool_says(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: []\n", encoding="utf-8")
    tests = []
    for text in EXPRESSIONS:
        found = {labels: value for labels, value in evaluated(text).items() if not math.isnan(value)}
        samples = [{"labels": Series("", dict(labels), "").text(), "value": value} for labels, value in found.items()]
        # the name is dropped on both sides: which operators keep it is of no use to an alert
        wrapped = (
            f'label_replace({text}, "__name__", "", "", "")'
            if not text.startswith(("time()", "1 ", "(1"))
            else f"vector({text})"
        )
        if text.startswith("time() -"):
            wrapped = f'label_replace({text}, "__name__", "", "", "")'
        tests.append({"expr": wrapped, "eval_time": f"{AT_S}s", "exp_samples": samples})
    body = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP_S}s",
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": [{"series": one.text(), "values": one.values} for one in SERIES],
                "promql_expr_test": tests,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(body, sort_keys=False, width=10_000), encoding="utf-8")
    run("test", "rules", str(tmp_path / "test.yml"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sum by (",
        "c[5m",
        "c[5m:1m]",
        "c{",
        "c{a}",
        "c{a=b}",
        "histogram_quantile(0.9, c)",
        "increase(c)",
        "sum(c[5m]",
        "1 +",
        "c offset",
        "c c",
        "@",
        "abs(c, 1)",
    ],
)
def test_what_it_does_not_understand_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        evaluated(text)


@pytest.mark.parametrize(
    "text",
    [
        "c + on (lane) limit",
        "c + on (lane) group_left () g",
        "c and 1",
        "sum(1)",
        "clamp_min(g, g)",
        "c[5m]",
        "limit + on () group_left () g",
    ],
)
def test_what_prometheus_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        evaluated(text)
