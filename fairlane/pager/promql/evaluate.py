"""An expression's value at one time, over the samples that were scraped."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fairlane.pager.promql.parse import NotUnderstood
from fairlane.pager.promql.ranges import FUNCTIONS
from fairlane.pager.promql.samples import Labels, Samples
from fairlane.pager.promql.syntax import Aggregate, Binary, Call, Expr, Matching, Number, Select, Text

Vector = dict[Labels, float]
Value = Vector | float
_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a),
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SETS: Final = ("and", "or", "unless")
_FOLDS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "sum": math.fsum,
    "max": max,
    "min": min,
    "avg": lambda values: math.fsum(values) / len(values),
    "count": len,
    "group": lambda _: 1.0,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """When and over what: `at` on the samples' steady clock, `now` in Unix seconds for `time()`."""

    samples: Samples
    at: float
    now: float

    def vector(self, expr: Expr) -> Vector:
        """The series that the expression gives; a scalar is one series without labels. Raises NotUnderstood for what Prometheus would refuse."""
        value = self._value(expr)
        return value if isinstance(value, dict) else {frozenset(): value}

    def _value(self, expr: Expr) -> Value:
        match expr:
            case Number():
                return expr.value
            case Select(range_s=None):
                return self.samples.at(expr.name, expr.matchers, self.at - expr.offset_s)
            case Aggregate():
                return _aggregate(expr, self._vector(expr.argument))
            case Call():
                return self._call(expr)
            case Binary():
                return _binary(expr, self._value(expr.left), self._value(expr.right))
            case _:
                raise NotUnderstood(f"{expr} has no value of its own")

    def _vector(self, expr: Expr) -> Vector:
        value = self._value(expr)
        if not isinstance(value, dict):
            raise NotUnderstood(f"{expr} is a scalar where series are wanted")
        return value

    def _call(self, call: Call) -> Value:
        first = call.arguments[0] if call.arguments else None
        if isinstance(first, Select) and first.range_s is not None:
            end = self.at - first.offset_s
            begin = end - first.range_s
            samples = self.samples.within(first.name, first.matchers, begin, end)
            found = {labels: FUNCTIONS[call.function](some, begin, end) for labels, some in samples.items()}
            return {labels: value for labels, value in found.items() if value is not None}
        if call.function == "time":
            return self.now
        assert first is not None
        if call.function == "vector":
            return {frozenset(): self._scalar(first)}
        series = self._vector(first)
        match call.function:
            case "scalar":
                return next(iter(series.values())) if len(series) == 1 else math.nan
            case "absent":
                return {} if series else {_told(first): 1.0}
            case "abs":
                return {labels: abs(value) for labels, value in series.items()}
            case "ceil" | "floor":
                change = math.ceil if call.function == "ceil" else math.floor
                return {labels: float(change(value)) for labels, value in series.items()}
            case "clamp_min" | "clamp_max":
                bound = self._scalar(call.arguments[1])
                limit = max if call.function == "clamp_min" else min
                return {labels: limit(value, bound) for labels, value in series.items()}
            case _:
                return _relabelled(series, *(one.value for one in call.arguments[1:] if isinstance(one, Text)))

    def _scalar(self, expr: Expr) -> float:
        value = self._value(expr)
        if isinstance(value, dict):
            raise NotUnderstood(f"{expr} is a series where a scalar is wanted")
        return value


def _told(expr: Expr) -> Labels:
    """What `absent` knows of a series that is not there: the labels that were asked for by equality."""
    return (
        frozenset((m.label, m.value) for m in expr.matchers if m.op == "=") if isinstance(expr, Select) else frozenset()
    )


def _relabelled(series: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    found: Vector = {}
    for labels, value in series.items():
        match = re.fullmatch(pattern, dict(labels).get(source, ""))
        new = labels
        if match is not None:
            text = match.expand(re.sub(r"\$(\d+)", r"\\\1", replacement))
            new = frozenset({**dict(labels), target: text}.items()) if text else _without(labels, (target,))
        found[new] = value
    return found


def _aggregate(expr: Aggregate, series: Vector) -> Vector:
    groups: dict[Labels, list[float]] = {}
    for labels, value in series.items():
        key = _without(labels, expr.labels) if expr.without else _only(labels, expr.labels)
        groups.setdefault(key, []).append(value)
    return {labels: float(_FOLDS[expr.op](values)) for labels, values in groups.items()}


def _binary(expr: Binary, left: Value, right: Value) -> Value:
    if isinstance(left, dict) and isinstance(right, dict):
        return _set(expr, left, right) if expr.op in _SETS else _joined(expr, left, right)
    if expr.op in _SETS:
        raise NotUnderstood(f"{expr.op} joins series, not numbers")
    if isinstance(left, dict):
        assert not isinstance(right, dict)
        return _kept(expr, {labels: (value, right, value) for labels, value in left.items()})
    if isinstance(right, dict):
        return _kept(expr, {labels: (left, value, value) for labels, value in right.items()})
    if expr.op in _COMPARISONS:
        return float(_COMPARISONS[expr.op](left, right))
    return _ARITHMETIC[expr.op](left, right)


def _kept(expr: Binary, rows: Mapping[Labels, tuple[float, float, float]]) -> Vector:
    """Left, right and the value that a comparison lets through."""
    if expr.op in _ARITHMETIC:
        return {labels: _ARITHMETIC[expr.op](a, b) for labels, (a, b, _) in rows.items()}
    holds = _COMPARISONS[expr.op]
    if expr.boolean:
        return {labels: float(holds(a, b)) for labels, (a, b, _) in rows.items()}
    return {labels: kept for labels, (a, b, kept) in rows.items() if holds(a, b)}


def _set(expr: Binary, left: Vector, right: Vector) -> Vector:
    there = {_key(labels, expr.matching) for labels in right}
    if expr.op == "and":
        return {labels: value for labels, value in left.items() if _key(labels, expr.matching) in there}
    if expr.op == "unless":
        return {labels: value for labels, value in left.items() if _key(labels, expr.matching) not in there}
    mine = {_key(labels, expr.matching) for labels in left}
    return left | {labels: value for labels, value in right.items() if _key(labels, expr.matching) not in mine}


def _joined(expr: Binary, left: Vector, right: Vector) -> Vector:
    matching = expr.matching
    many, one = (right, left) if matching.many == "right" else (left, right)
    partners: dict[Labels, Labels] = {}
    for labels in one:
        if partners.setdefault(_key(labels, matching), labels) != labels:
            raise NotUnderstood(f"several series match on the one side of {expr.op}")
    rows: dict[Labels, tuple[float, float, float]] = {}
    for labels, value in many.items():
        partner = partners.get(_key(labels, matching))
        if partner is None:
            continue
        result = _result(labels, partner, matching)
        if result in rows:
            raise NotUnderstood(f"several series match on the many side of {expr.op}")
        a, b = (one[partner], value) if matching.many == "right" else (value, one[partner])
        rows[result] = a, b, a
    return _kept(expr, rows)


def _result(labels: Labels, partner: Labels, matching: Matching) -> Labels:
    if matching.many:
        return _without(labels, matching.include) | _only(partner, matching.include)
    return _key(labels, matching)


def _key(labels: Labels, matching: Matching) -> Labels:
    return _only(labels, matching.labels) if matching.on else _without(labels, matching.labels)


def _only(labels: Labels, names: tuple[str, ...]) -> Labels:
    return frozenset(pair for pair in labels if pair[0] in names)


def _without(labels: Labels, names: tuple[str, ...]) -> Labels:
    return frozenset(pair for pair in labels if pair[0] not in names) if names else labels
