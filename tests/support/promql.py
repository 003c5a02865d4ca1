"""What a PromQL expression asks for, checked against the metric catalogue."""

import re
from collections.abc import Iterator, Mapping

import promql_parser

# labels that Prometheus adds to every series when it scrapes
SCRAPED = frozenset({"job", "instance"})
_VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$__interval": "15s"}
_ALERTS = frozenset(
    {"alertname", "alertstate", "tier", "area", "owner", "pipeline", "lane", "slo", "window", "pair", "limit", "budget"}
)
_RULES = {"ALERTS": _ALERTS}


def parse(expr: str) -> promql_parser.Expr:
    """The expression; Grafana's built-in intervals are filled in first. Raises ValueError when it is not PromQL."""
    for variable, value in _VARIABLES.items():
        expr = expr.replace(variable, value)
    return promql_parser.parse(expr)


def selectors(expr: str) -> Iterator[promql_parser.VectorSelector]:
    """Every selector in the expression."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(parse(expr), visit)
    return iter({str(one): one for one in found}.values())


def problems(expr: str, known: Mapping[str, frozenset[str]]) -> list[str]:
    """What the expression names that does not exist: `known` maps a series to its labels."""
    try:
        asked = list(selectors(expr))
    except ValueError as error:
        return [f"not PromQL: {error}: {expr}"]
    found = [f"{one.name} is not catalogued" for one in asked if one.name not in known and one.name not in _RULES]
    for one in asked:
        labels = known.get(one.name or "", frozenset()) | SCRAPED | _RULES.get(one.name or "", frozenset())
        found += [
            f"{one.name} has no label {m.name}"
            for m in one.matchers.matchers
            if m.name not in labels and one.name in known
        ]
    everything = frozenset().union(
        SCRAPED, *(known.get(one.name or "", _ALERTS if one.name in _RULES else frozenset()) for one in asked)
    )
    found += [f"no series here has the label {label}: {expr}" for label in _grouped(expr) if label not in everything]
    return found


def _grouped(expr: str) -> set[str]:
    """Labels after by, on, group_left and group_right."""
    lists = re.findall(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^()]*)\)", expr)
    return {label.strip() for inside in lists for label in inside.split(",") if label.strip()}
