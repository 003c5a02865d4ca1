"""Limits and cost budgets from YAML, each problem with its line and path.

limits:
  - {name: kafka-disk, title: Kafka's disk, unit: bytes, trigger: 0.7e12, critical: 0.9e12, lead_days: 60, owner: streams, project: CAP-12, query: sum(...)}
budgets:
  - {name: warehouse, title: Warehouse, monthly: 12000, currency: EUR, owner: data}
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from slo.capacity.limit import Budget, Limit, Query, Source, Told
from slo.errors import ConfigError
from slo.openslo.text import BadText, Document, Path, read_text

UNITS: Final = ("bytes", "count", "share", "seconds", "per_second")
_Text = Annotated[str, Field(min_length=1, max_length=200)]


def _number(value: object) -> object:
    """YAML reads 0.7e12 as text (its numbers want a sign in the exponent)."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


_Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitText(_Strict):
    """One entry of `limits`. Without `query` its values are told: `fairlane capacity record`."""

    name: _Text
    title: _Text
    unit: Literal["bytes", "count", "share", "seconds", "per_second"] = "count"
    trigger: _Number
    critical: _Number
    lead_days: _Number
    owner: _Text
    project: _Text
    query: Annotated[str, Field(max_length=4_000)] = ""
    prometheus: Annotated[str, Field(max_length=500)] = ""
    link: Annotated[str, Field(max_length=500, pattern=r"^(https?://\S+)?$")] = ""


class BudgetText(_Strict):
    """One entry of `budgets`. Values are what a day costs."""

    name: _Text
    title: _Text
    monthly: _Number
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    owner: _Text
    query: Annotated[str, Field(max_length=4_000)] = ""
    prometheus: Annotated[str, Field(max_length=500)] = ""


class _FileText(_Strict):
    limits: tuple[LimitText, ...] = ()
    budgets: tuple[BudgetText, ...] = ()


def read(texts: Iterable[tuple[str, str]], prometheus: str = "") -> tuple[tuple[Limit, ...], tuple[Budget, ...]]:
    """All limits and budgets of the (name, content) pairs; `prometheus` is asked where an entry names none. Raises ConfigError, a line for each problem."""
    limits: list[Limit] = []
    budgets: list[Budget] = []
    problems: list[str] = []
    for name, text in texts:
        try:
            for document in read_text(text):
                _document(name, document, prometheus, limits, budgets, problems)
        except BadText as error:
            problems.append(f"{name}: {error}")
    seen: set[str] = set()
    for one in (*(limit.name for limit in limits), *(budget.name for budget in budgets)):
        if one in seen:
            problems.append(f"the name '{one}' stands twice; limits and budgets share one set of names")
        seen.add(one)
    if problems:
        raise ConfigError("capacity.files: refused" + "".join(f"\n  - {problem}" for problem in problems))
    return tuple(limits), tuple(budgets)


def _document(
    name: str, document: Document, prometheus: str, limits: list[Limit], budgets: list[Budget], problems: list[str]
) -> None:
    try:
        found = _FileText.model_validate(document.value)
    except ValidationError as error:
        for one in error.errors():
            path: Path = one["loc"]
            where = ".".join(str(part) for part in path) or "the document"
            problems.append(f"{name}:{document.line(path)}: {where}: {one['msg']}")
        return
    for n, limit in enumerate(found.limits):
        line = document.line(("limits", n))
        try:
            source = _source(limit.query, limit.prometheus or prometheus)
            plain = limit.model_dump(exclude={"query", "prometheus"})
            limits.append(Limit(**plain, source=source))
        except ConfigError as error:
            problems.append(f"{name}:{line}: {error}")
    for n, budget in enumerate(found.budgets):
        line = document.line(("budgets", n))
        try:
            source = _source(budget.query, budget.prometheus or prometheus)
            budgets.append(Budget(**budget.model_dump(exclude={"query", "prometheus"}), source=source))
        except ConfigError as error:
            problems.append(f"{name}:{line}: {error}")


def _source(query: str, prometheus: str) -> Source:
    if not query:
        return Told()
    if not prometheus:
        raise ConfigError("has a query, but there is no Prometheus to ask: set `prometheus` here or slo.prometheus")
    return Query(prometheus, query)
