"""Texts to checked OpenSLO objects. Every problem is told with file, line, object, path and reason; nothing is taken from a set that has one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from slo.openslo.model import (
    API_VERSION,
    SPECS,
    ConditionSpec,
    DataSourceSpec,
    Metadata,
    Part,
    PolicySpec,
    SliSpec,
    SloSpec,
    TargetSpec,
    check_thresholds,
)
from slo.openslo.text import BadText, Document, Path, read_text

_SpecT = TypeVar("_SpecT", bound=Part)
_TOP: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document is refused."""

    file: str
    line: int
    object: str
    """Kind and name, as far as they are known."""
    path: str
    reason: str

    def __str__(self) -> str:
        """For people: where, what."""
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.object}: {self.path + ': ' if self.path else ''}{self.reason}"


@dataclass(frozen=True, slots=True)
class Object:
    """One checked document."""

    kind: str
    metadata: Metadata
    spec: Part
    file: str
    document: Document

    @property
    def label(self) -> str:
        """Kind and name."""
        return f"{self.kind} '{self.metadata.name}'"

    def problem(self, path: Path, reason: str) -> Problem:
        """A problem of this object."""
        return Problem(self.file, self.document.line(path), self.label, _dotted(path), reason)


@dataclass(frozen=True, slots=True)
class Bundle:
    """All objects of a set of texts, by kind and name."""

    objects: Mapping[tuple[str, str], Object]
    problems: tuple[Problem, ...]
    """What the specification does not allow."""
    unresolved: tuple[Problem, ...] = ()
    """References to objects that are not in the set: each document is valid, but what refers to them cannot be evaluated."""

    def all(self, kind: str) -> list[Object]:
        """The objects of a kind, in the order in which they stand."""
        return [found for (k, _), found in self.objects.items() if k == kind]

    def spec(self, spec: type[_SpecT], name: str) -> _SpecT | None:
        """The spec of the object of that name, or None."""
        kind = next(k for k, known in SPECS.items() if known is spec)
        found = self.objects.get((kind, name))
        return found.spec if found is not None and isinstance(found.spec, spec) else None


def read(texts: Iterable[tuple[str, str]]) -> Bundle:
    """(file name, text) pairs as one set: objects may refer to each other across files. Raises nothing: what is wrong stands in `problems`."""
    objects: dict[tuple[str, str], Object] = {}
    problems: list[Problem] = []
    for file, text in texts:
        try:
            for document in read_text(text):
                found = _object(file, document, problems)
                if found is None:
                    continue
                key = found.kind, found.metadata.name
                if key in objects:
                    first = objects[key]
                    where = f"{first.file}:{first.document.line(())}"
                    problems.append(found.problem(("metadata", "name"), f"is there already, in {where}"))
                else:
                    objects[key] = found
        except BadText as error:
            problems.append(Problem(file, 1, "YAML", "", str(error)))
    bundle = Bundle(objects, ())
    thresholds = [problem for each in bundle.all("SLO") for problem in _thresholds(bundle, each)]
    return Bundle(objects, (*problems, *thresholds), tuple(_references(bundle)))


def _object(file: str, document: Document, problems: list[Problem]) -> Object | None:
    raw = document.value
    label = "document" if document.number == 1 else f"document {document.number}"

    def wrong(path: Path, reason: str, who: str = label) -> None:
        problems.append(Problem(file, document.line(path), who, _dotted(path), reason))

    if not isinstance(raw, dict):
        wrong((), "is no mapping: an OpenSLO object has apiVersion, kind, metadata and spec")
        return None
    before = len(problems)
    version, kind = raw.get("apiVersion"), raw.get("kind")
    if version != API_VERSION:
        wrong(("apiVersion",), f"must be {API_VERSION}, not {version!r}")
    spec_type = SPECS.get(kind) if isinstance(kind, str) else None
    if spec_type is None:
        near = [k for k in SPECS if k.lower() == str(kind).lower()] or get_close_matches(str(kind), SPECS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(SPECS)}"
        wrong(("kind",), f"there is no kind {kind!r}{hint}")
        return None
    name = raw["metadata"].get("name") if isinstance(raw.get("metadata"), dict) else None
    label = f"{kind} {name!r}" if isinstance(name, str) else f"{kind} ({label})"
    for extra in raw.keys() - _TOP:
        wrong((str(extra),), "unknown field", label)
    metadata = _part(Metadata, raw.get("metadata"), "metadata", wrong, label)
    # a Service may have nothing to say beyond its name
    spec = _part(spec_type, raw.get("spec") or {} if kind == "Service" else raw.get("spec"), "spec", wrong, label)
    if metadata is None or spec is None or len(problems) > before:
        return None
    return Object(str(kind), metadata, spec, file, document)


def _part(part: type[_SpecT], raw: Any, name: str, wrong: Any, label: str) -> _SpecT | None:
    if raw is None:
        wrong((name,), "is missing", label)
        return None
    try:
        return part.model_validate(raw)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            path = (name, *(p for p in one["loc"] if p not in {"function-after", "function-before"}))
            wrong(path, _reason(one), label)
        return None


def _reason(one: Any) -> str:
    if one["type"] == "extra_forbidden":
        return "unknown field"
    if one["type"] == "missing":
        return "is missing"
    message = str(one["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:] if message else "is wrong"


def _thresholds(bundle: Bundle, each: Object) -> Iterable[Problem]:
    """What an SLO lacks whose SLI stands apart."""
    spec = each.spec
    if isinstance(spec, SloSpec) and spec.indicator_ref is not None:
        sli = bundle.spec(SliSpec, spec.indicator_ref)
        if sli is not None and sli.threshold_metric is not None:
            try:
                check_thresholds(spec)
            except ValueError as error:
                yield each.problem(("spec", "objectives"), str(error))


def _references(bundle: Bundle) -> list[Problem]:
    found: list[Problem] = []
    for each in bundle.objects.values():
        spec = each.spec
        if isinstance(spec, SloSpec):
            if spec.indicator_ref is not None and bundle.spec(SliSpec, spec.indicator_ref) is None:
                found.append(each.problem(("spec", "indicatorRef"), f"there is no SLI '{spec.indicator_ref}'"))
            found += [
                each.problem(("spec", "alertPolicies", n), f"there is no AlertPolicy '{entry.alert_policy_ref}'")
                for n, entry in enumerate(spec.alert_policies)
                if entry.alert_policy_ref is not None and bundle.spec(PolicySpec, entry.alert_policy_ref) is None
            ]
        elif isinstance(spec, PolicySpec):
            found += [
                each.problem(("spec", "conditions", n), f"there is no AlertCondition '{entry.condition_ref}'")
                for n, entry in enumerate(spec.conditions)
                if entry.condition_ref is not None and bundle.spec(ConditionSpec, entry.condition_ref) is None
            ]
            found += [
                each.problem(
                    ("spec", "notificationTargets", n), f"there is no AlertNotificationTarget '{entry.target_ref}'"
                )
                for n, entry in enumerate(spec.notification_targets)
                if entry.target_ref is not None and bundle.spec(TargetSpec, entry.target_ref) is None
            ]
        for path, ref in _sources(each):
            if bundle.spec(DataSourceSpec, ref) is None:
                found.append(each.problem(path, f"there is no DataSource '{ref}'"))
    return found


def _sources(each: Object) -> Iterable[tuple[Path, str]]:
    spec: SliSpec | None = None
    path: Path = ("spec",)
    if isinstance(each.spec, SliSpec):
        spec = each.spec
    elif isinstance(each.spec, SloSpec) and each.spec.indicator is not None:
        spec, path = each.spec.indicator.spec, ("spec", "indicator", "spec")
    if spec is None:
        return
    metrics = [("thresholdMetric", spec.threshold_metric)]
    if spec.ratio_metric is not None:
        ratio = spec.ratio_metric
        metrics += [("good", ratio.good), ("bad", ratio.bad), ("total", ratio.total), ("raw", ratio.raw)]
    for name, metric in metrics:
        if metric is not None and metric.metric_source.metric_source_ref is not None:
            middle: Path = () if name == "thresholdMetric" else ("ratioMetric",)
            yield (*path, *middle, name, "metricSource", "metricSourceRef"), metric.metric_source.metric_source_ref


def _dotted(path: Path) -> str:
    return ".".join(str(p) for p in path)
