"""From text to an expression. What we do not evaluate is refused here, with its place, and not when a page is due."""

import re
from typing import Final

from fairlane.pager.promql.syntax import Aggregate, Binary, Call, Expr, Matcher, Matching, Number, Select, Text

AGGREGATIONS: Final = ("sum", "max", "min", "avg", "count", "group")
FUNCTIONS: Final[dict[str, str]] = {
    "time": "", "vector": "s", "scalar": "v", "absent": "v", "abs": "v", "clamp_min": "vs", "clamp_max": "vs", "ceil": "v", "floor": "v",
    "label_replace": "vtttt", "last_over_time": "r", "max_over_time": "r", "min_over_time": "r", "avg_over_time": "r", "sum_over_time": "r",
    "count_over_time": "r", "increase": "r", "rate": "r", "delta": "r",
}  # fmt: skip
"""Function to the kinds of its arguments: v vector, r range, s scalar, t text."""
_LEVELS: Final = (
    ("or",),
    ("and", "unless"),
    ("==", "!=", "<=", "<", ">=", ">"),
    ("+", "-"),
    ("*", "/", "%"),
)
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_TOKEN: Final = re.compile(
    r"\s*(?:#[^\n]*\s*)*(?:(?P<duration>(?:\d+(?:ms|[smhdwy]))+)(?![\w.])|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[a-zA-Z_:][\w:]*)"
    r"|\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<op>=~|!~|==|!=|<=|>=|[-+*/%<>=(){}\[\],]))"
)


class NotUnderstood(ValueError):
    """The text is no PromQL, or a part of it that is not evaluated here."""


def parse(text: str) -> Expr:
    """The expression. Raises NotUnderstood."""
    reader = _Reader(text)
    found = reader.binary(0)
    if reader.kind:
        raise reader.error("an operator or the end")
    return found


class _Reader:
    """One pass over the tokens; `kind` and `value` are the next one."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._at = 0
        self.kind = self.value = ""
        self._next()

    def error(self, wanted: str) -> NotUnderstood:
        """What is said of the present place."""
        return NotUnderstood(f"{wanted} is wanted at {self._text[max(self._at - 30, 0) : self._at]!r}")

    def binary(self, level: int) -> Expr:
        """Operators of this precedence and above; all associate to the left."""
        if level == len(_LEVELS):
            return self._unary()
        left = self.binary(level + 1)
        while self.kind and self.value in _LEVELS[level] and self.kind in {"op", "name"}:
            op = self._take()
            boolean = self._is("bool")
            matching = self._matching()
            left = Binary(op, left, self.binary(level + 1), matching, boolean)
        return left

    def _unary(self) -> Expr:
        if self.kind == "op" and self.value == "-":
            self._take()
            return Binary("*", Number(-1.0), self._unary())
        return self._suffixed(self._atom())

    def _atom(self) -> Expr:
        if self.kind == "number":
            return Number(float(self._take()))
        if self.kind in {"double", "single"}:
            return Text(re.sub(r"\\(.)", r"\1", self._take()))
        if self._is("("):
            inner = self.binary(0)
            self._need(")")
            return inner
        if self.kind != "name":
            raise self.error("an expression")
        name = self._take()
        if name in AGGREGATIONS:
            return self._aggregate(name)
        if self.value == "(" and self.kind == "op":
            return self._call(name)
        return Select(name, self._matchers())

    def _aggregate(self, op: str) -> Aggregate:
        grouping = self._grouping()
        self._need("(")
        argument = self.binary(0)
        self._need(")")
        labels, without = grouping or self._grouping() or ((), False)
        return Aggregate(op, labels, without, argument)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        for word in ("by", "without"):
            if self._is(word):
                return self._labels(), word == "without"
        return None

    def _call(self, name: str) -> Call:
        if name not in FUNCTIONS:
            raise NotUnderstood(f"{name}() is not evaluated here")
        self._need("(")
        arguments: list[Expr] = []
        while not self._is(")"):
            if arguments:
                self._need(",")
            arguments.append(self.binary(0))
        kinds = FUNCTIONS[name]
        ranged = [isinstance(one, Select) and one.range_s is not None for one in arguments]
        if len(arguments) != len(kinds) or ranged != [kind == "r" for kind in kinds]:
            raise NotUnderstood(f"{name}() takes other arguments")
        return Call(name, tuple(arguments))

    def _suffixed(self, found: Expr) -> Expr:
        if self._is("["):
            seconds = self._duration()
            if not isinstance(found, Select) or self.value == ":":
                raise NotUnderstood("subqueries are not evaluated here")
            self._need("]")
            found = Select(found.name, found.matchers, seconds)
        if self._is("offset"):
            if not isinstance(found, Select):
                raise NotUnderstood("an offset belongs to a series")
            found = Select(found.name, found.matchers, found.range_s, self._duration())
        return found

    def _matchers(self) -> tuple[Matcher, ...]:
        found: list[Matcher] = []
        if not self._is("{"):
            return ()
        while not self._is("}"):
            if found:
                self._need(",")
            label, op = self._take(), self._take()
            if op not in {"=", "!=", "=~", "!~"} or self.kind not in {"double", "single"}:
                raise self.error("a matcher")
            found.append(Matcher(label, op, re.sub(r"\\(.)", r"\1", self._take())))
        return tuple(found)

    def _matching(self) -> Matching:
        labels: tuple[str, ...] = ()
        on = self._is("on")
        if on or self._is("ignoring"):
            labels = self._labels()
        for word in ("group_left", "group_right"):
            if self._is(word):
                return Matching(labels, on, word.removeprefix("group_"), self._labels() if self.value == "(" else ())
        return Matching(labels, on)

    def _labels(self) -> tuple[str, ...]:
        self._need("(")
        found: list[str] = []
        while not self._is(")"):
            if found:
                self._need(",")
            found.append(self._take())
        return tuple(found)

    def _duration(self) -> float:
        if self.kind != "duration":
            raise self.error("a duration")
        return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", self._take()))

    def _is(self, value: str) -> bool:
        """Take it if it is there."""
        there = self.kind in {"op", "name"} and self.value == value
        if there:
            self._take()
        return there

    def _need(self, value: str) -> None:
        if not self._is(value):
            raise self.error(repr(value))

    def _take(self) -> str:
        value = self.value
        if not self.kind:
            raise self.error("more")
        self._next()
        return value

    def _next(self) -> None:
        if self._at >= len(self._text):
            self.kind = self.value = ""
            return
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            raise NotUnderstood(f"{self._text[self._at : self._at + 20]!r} is not PromQL")
        self.kind, self.value = match.lastgroup, match[match.lastgroup]
        self._at = match.end()
