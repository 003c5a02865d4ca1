"""Expressions as values."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal, as an argument."""

    value: str


@dataclass(frozen=True, slots=True)
class Matcher:
    """`label op "value"`; op is `=`, `!=`, `=~` or `!~`."""

    label: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Select:
    """`name{...}`, with a range and an offset in seconds."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    range_s: float | None = None
    offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: str
    arguments: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`op by (labels) (argument)`, or `without`."""

    op: str
    labels: tuple[str, ...]
    without: bool
    argument: "Expr"


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of two sides find each other: `on`/`ignoring` and `group_left`/`group_right` (`many`)."""

    labels: tuple[str, ...] = ()
    on: bool = False
    many: str = ""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`."""

    op: str
    left: "Expr"
    right: "Expr"
    matching: Matching = Matching()
    boolean: bool = False


Expr = Number | Text | Select | Call | Aggregate | Binary


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all in it."""
    yield expr
    if isinstance(expr, Call):
        inner: tuple[Expr, ...] = expr.arguments
    elif isinstance(expr, Aggregate):
        inner = (expr.argument,)
    elif isinstance(expr, Binary):
        inner = (expr.left, expr.right)
    else:
        inner = ()
    for one in inner:
        yield from walk(one)
