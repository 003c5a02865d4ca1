"""Checked OpenSLO objects to objectives. Valid is not yet usable: what Fairlane cannot do is refused or left out, each time with the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from slo.calendar import Calendar
from slo.errors import ConfigError
from slo.objective import Objective, Sli
from slo.openslo.duration import Duration
from slo.openslo.model import (
    Condition,
    ConditionSpec,
    DataSourceSpec,
    Metric,
    PolicySpec,
    SliSpec,
    SloSpec,
    Threshold,
)
from slo.openslo.read import Bundle, Object, Problem
from slo.openslo.text import Path
from slo.slices import SLICE_S
from slo.source import Op, Push, Ratio, Raw, Source, Timeslices
from slo.windows import DAY, HOUR, MINUTE, Pair, Share, Tier, check, preset, window_name
from slo.windows_file import pairs_of

WINDOW_DAYS: Final = 30
"""Of an SLO without a timeWindow."""
PAGING: Final = frozenset({"page", "critical", "sev0", "sev1", "p0", "p1", "emergency", "high"})
"""Severities (in lower case) that wake somebody; all others make tickets."""
PUSHED: Final = "push"
"""`type` of a metric source whose slices are posted to us."""
SHORT_SHARE: Final = 12
"""A long window's short one is a twelfth of it, as in the SRE workbook, ch. 5."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Objectives; impossible promises, which are refused; valid ones that cannot be measured here; and what is different from what the document may hope for."""

    objectives: tuple[Objective, ...] = ()
    refused: tuple[Problem, ...] = ()
    left_out: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Work:
    bundle: Bundle
    prometheus: str
    windows: str
    own_windows: tuple[Share | Pair, ...]
    objectives: list[Objective] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


class _Unusable(Exception):
    """Valid, but not to be measured here."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class _Refusal(_Unusable):
    """It could never be true, or never fire."""


def translate(
    bundle: Bundle, *, prometheus: str = "", windows: str = "google-mwmb", own_windows: tuple[Share | Pair, ...] = ()
) -> Translation:
    """The objectives of a bundle. `prometheus` is the URL of sources that name none, `windows` the preset of SLOs without alert policies.

    `own_windows` replace the preset.

    An objective is called as its SLO, with `-2`, `-3` ... for the further thresholds of one.
    """
    work = _Work(bundle, prometheus, windows, own_windows)
    names: dict[str, str] = {}
    for each in bundle.all("SLO"):
        spec = each.spec
        assert isinstance(spec, SloSpec)
        for n, threshold in enumerate(spec.objectives):
            name = objective_name(each.metadata.name, n)
            try:
                if name in names:
                    raise _Refusal(("metadata", "name"), f"'{name}' is the name of an objective of {names[name]} too")
                names[name] = each.label
                work.objectives.append(_objective(work, each, spec, threshold, n, name))
            except _Refusal as refusal:
                work.refused.append(each.problem(refusal.path, str(refusal)))
            except _Unusable as unusable:
                work.left_out.append(each.problem(unusable.path, str(unusable)))
            except ConfigError as error:
                reason = str(error).removeprefix(f"objective '{name}': ")
                work.refused.append(each.problem(("spec", "objectives", n), reason))
    # what several objectives share is told once
    notes = tuple(dict.fromkeys(work.notes))
    return Translation(tuple(work.objectives), tuple(work.refused), tuple(work.left_out), notes)


def objective_name(slo: str, number: int) -> str:
    """The name of threshold `number` (from 0) of an SLO: a DNS label."""
    plain = "".join(c if c.isalnum() or c == "-" else "-" for c in slo)
    tail = f"-{number + 1}" if number else ""
    return plain[: 63 - len(tail)].rstrip("-") + tail


def _objective(work: _Work, each: Object, spec: SloSpec, threshold: Threshold, n: int, name: str) -> Objective:
    here: Path = ("spec", "objectives", n)
    if threshold.share == 0:
        raise _Unusable((*here, "target"), "a target of 0 promises nothing: there is nothing to measure against it")
    if spec.budgeting_method == "RatioTimeslices":
        raise _Unusable(
            ("spec", "budgetingMethod"),
            "RatioTimeslices averages ratios, and only counts are kept here; use Timeslices or Occurrences",
        )
    days, calendar = _window(work, each, spec)
    slices = _timeslices(spec, threshold, here)
    step = slices.slice_s if slices is not None else SLICE_S
    custom = _pairs(work, each, spec, step)
    if not custom:
        custom = _reachable(work, each, threshold.share, days, step, here)
        if _silent(work, spec):
            custom = tuple(replace(pair, tier=Tier.TICKET) for pair in custom or preset(work.windows, days))
            work.notes.append(
                each.problem(
                    ("spec", "alertPolicies"),
                    "no policy asks for an alert when it is breaching: nobody is paged; the usual alert windows make tickets, and show how fast the budget burns",
                )
            )
    annotations = each.metadata.annotations
    labels = each.metadata.labels
    owner = labels.get("owner", labels.get("team", spec.service))
    return Objective(
        name=name,
        pipeline=spec.service,
        sli=Sli.EXTERNAL,
        target=threshold.share,
        threshold=float(threshold.value or 0),
        window_days=days,
        owner=owner if isinstance(owner, str) else ", ".join(owner),
        runbook=annotations.get("fairlane/runbook", annotations.get("runbook", "")),
        title=threshold.display_name or each.metadata.display_name or each.metadata.name,
        windows=work.windows,
        custom=custom,
        calendar=calendar,
        source=_source(work, spec, threshold),
        timeslices=slices,
        service=spec.service,
        description=spec.description,
    )


def _window(work: _Work, each: Object, spec: SloSpec) -> tuple[int, Calendar | None]:
    if spec.time_window is None:
        work.notes.append(each.problem(("spec",), f"no timeWindow: {WINDOW_DAYS} days rolling are taken"))
        return WINDOW_DAYS, None
    window, path = spec.time_window[0], ("spec", "timeWindow", 0, "duration")
    if window.calendar is None:
        if window.duration.seconds % DAY:
            raise _Unusable(path, f"a rolling window of {window.duration} is no whole number of days")
        return window.duration.seconds // DAY, None
    unit = window.duration.unit
    if unit is None:
        raise _Unusable(path, f"a calendar window is one of 1d, 1w, 1M, 1Q and 1Y, not {window.duration}")
    calendar = Calendar(unit, window.calendar.time_zone)
    start = window.calendar.start_time
    if not start.endswith(" 00:00:00") or (unit.value in {"month", "quarter", "year"} and start[8:10] != "01"):
        work.notes.append(
            each.problem(
                ("spec", "timeWindow", 0, "calendar", "startTime"),
                f"periods begin at the {unit}'s first midnight in {calendar.zone}, not at {start}",
            )
        )
    return max(window.duration.seconds // DAY, 1), calendar


def _reachable(work: _Work, each: Object, target: Decimal, days: int, step: int, here: Path) -> tuple[Pair, ...]:
    """The preset's (or your own) pairs without those that this target could never reach, or whose short window holds less than two time slices of `step` seconds; () where the preset fits as it is."""
    pairs = pairs_of(work.own_windows, days) or preset(work.windows, days)
    highest = 1 / (1 - Fraction(target))
    coarse = tuple(pair for pair in pairs if pair.short_s < 2 * step)
    left = tuple(pair for pair in pairs if pair.factor < highest and pair.long_s <= days * DAY and pair not in coarse)
    if len(left) == len(pairs):
        return pairs if work.own_windows else ()
    within = [pair for pair in pairs if pair.factor < highest and pair.long_s <= days * DAY]
    if not left and within:
        raise _Refusal(
            (*here, "timeSliceWindow"),
            f"no pair of {'slo.windows_file' if work.own_windows else work.windows} has a short window of two time slices of {step // MINUTE} min; "
            "use shorter time slices, or an alert policy with a lookbackWindow of its own",
        )
    if not left:
        raise _Refusal(
            (*here, "target"),
            f"no pair of {'slo.windows_file' if work.own_windows else work.windows} could ever fire at target {target}",
        )
    if coarse:
        names = ", ".join(pair.name for pair in coarse)
        reason = f"the alert windows {names} are left out: the short one holds less than two time slices of {step // MINUTE} min"
        work.notes.append(each.problem((*here, "timeSliceWindow"), reason))
    if gone := ", ".join(pair.name for pair in pairs if pair not in left and pair not in coarse):
        reason = f"the alert windows {gone} are left out: at target {target} they could never fire"
        work.notes.append(each.problem((*here, "target"), reason))
    return left


@dataclass(frozen=True, slots=True)
class _Policy:
    """An alert policy, and where it stands: in the SLO or as an object of its own."""

    home: Object
    path: Path
    policy: PolicySpec

    def note(self, name: str, reason: str) -> Problem:
        """Of one of its fields."""
        return self.home.problem((*self.path, name), f"{name}: {reason}")


def _policies(work: _Work, each: Object, spec: SloSpec) -> Iterator[_Policy]:
    for n, entry in enumerate(spec.alert_policies):
        if entry.spec is not None:
            yield _Policy(each, ("spec", "alertPolicies", n, "spec"), entry.spec)
            continue
        found = work.bundle.objects.get(("AlertPolicy", entry.alert_policy_ref or ""))
        if found is None or not isinstance(found.spec, PolicySpec):
            raise _Unusable(("spec", "alertPolicies", n), f"there is no AlertPolicy '{entry.alert_policy_ref}'")
        yield _Policy(found, ("spec",), found.spec)


def _silent(work: _Work, spec: SloSpec) -> bool:
    """Are there policies, and none that asks to be told of a breach?"""
    found = [entry.spec or work.bundle.spec(PolicySpec, entry.alert_policy_ref or "") for entry in spec.alert_policies]
    return bool(found) and not any(policy is not None and policy.alert_when_breaching for policy in found)


def _pairs(work: _Work, each: Object, spec: SloSpec, step: int) -> tuple[Pair, ...]:
    """The alert windows that the SLO's policies ask for; () for none."""
    pairs: list[Pair] = []
    for n, one in enumerate(_policies(work, each, spec)):
        if one.policy.alert_when_no_data:
            reason = "missing data freezes the objective, and FairlaneStaleTelemetry tells"
            work.notes.append(one.note("alertWhenNoData", reason))
        if not one.policy.alert_when_breaching:
            work.notes.append(one.note("alertWhenBreaching", "is false, so this policy asks for no page"))
            continue
        inner = one.policy.conditions[0]
        home, path = one.home, (*one.path, "conditions", 0, "spec")
        condition = inner.spec
        if condition is None:
            found = work.bundle.objects.get(("AlertCondition", inner.condition_ref or ""))
            if found is None or not isinstance(found.spec, ConditionSpec):
                raise _Unusable(("spec", "alertPolicies", n), f"there is no AlertCondition '{inner.condition_ref}'")
            home, path, condition = found, ("spec",), found.spec
        if condition.condition.op not in {Op.GT, Op.GTE}:
            reason = f"op {condition.condition.op}: a burn rate alerts above its threshold (gt, gte); this policy is left out"
            work.notes.append(each.problem(("spec", "alertPolicies", n), reason))
            continue
        pair = _pair(condition.condition, condition.severity, step, ("spec", "alertPolicies", n))
        pairs.append(pair)
        if "alert_when_resolved" in one.policy.model_fields_set and not one.policy.alert_when_resolved:
            work.notes.append(one.note("alertWhenResolved", "is false, but the end of an alert is told all the same"))
        reason = "not used: an alert goes where its tier (page, ticket) is routed"
        work.notes.append(one.note("notificationTargets", reason))
        if condition.condition.alert_after is not None:
            reason = f"alertAfter: an alert does not wait for {condition.condition.alert_after}; it fires while the last {window_name(pair.long_s)} and the last {window_name(pair.short_s)} both burn above the threshold"
            work.notes.append(home.problem((*path, "condition", "alertAfter"), reason))
    if pairs:
        share = min(t.share for t in spec.objectives)
        try:
            check(tuple(pairs), share, step)
        except ConfigError as error:
            raise _Refusal(("spec", "alertPolicies"), str(error)) from None
    return tuple(pairs)


def _pair(condition: Condition, severity: str, step: int, path: Path) -> Pair:
    """The condition's windows. The short one is as long as `alertAfter` (how long the condition has to hold), where it is shorter than the long one."""
    long_s = condition.lookback_window.seconds
    short_s = max(long_s // SHORT_SHARE // MINUTE * MINUTE, 2 * step)
    if condition.alert_after is not None:
        held_s = max(condition.alert_after.seconds, 2 * step)
        # slices that are so old are kept by the five minutes
        held_s = held_s if held_s <= 6 * HOUR else -(-held_s // HOUR) * HOUR
        short_s = held_s if held_s < long_s else short_s
    tier = Tier.PAGE if severity.lower() in PAGING else Tier.TICKET
    if long_s > 31 * DAY or (long_s > 3 * DAY and long_s % HOUR):
        raise _Unusable(
            path, f"lookbackWindow {condition.lookback_window} is longer than slices allow: at most 31 days"
        )
    return Pair(long_s, short_s, Fraction(condition.threshold), tier)


def _timeslices(spec: SloSpec, threshold: Threshold, here: Path) -> Timeslices | None:
    if spec.budgeting_method == "Occurrences":
        return None
    window: Duration | None = threshold.time_slice_window
    assert window is not None
    if window.seconds % SLICE_S or window.seconds > HOUR:
        raise _Unusable((*here, "timeSliceWindow"), f"{window}: a time slice is one minute to one hour")
    return Timeslices(window.seconds, threshold.time_slice_target or Decimal(1))


def _source(work: _Work, spec: SloSpec, threshold: Threshold) -> Source:
    if spec.indicator is not None:
        sli: SliSpec | None = spec.indicator.spec
    else:
        sli = work.bundle.spec(SliSpec, spec.indicator_ref or "")
    path: Path = ("spec", "indicator")
    if sli is None:
        raise _Unusable(("spec", "indicatorRef"), f"there is no SLI '{spec.indicator_ref}'")
    if sli.threshold_metric is not None:
        url, query = _query(work, sli.threshold_metric, path)
        assert threshold.op is not None
        assert threshold.value is not None
        return Push() if query is None else Raw(url, query, threshold.op, float(threshold.value))
    ratio = sli.ratio_metric
    assert ratio is not None
    if ratio.raw is not None:
        raise _Unusable(path, "a finished ratio (raw) has no counts to add up; give good or bad, and total")
    assert ratio.total is not None
    url, total = _query(work, ratio.total, path)
    part = ratio.good or ratio.bad
    assert part is not None
    other, query = _query(work, part, path)
    if (total is None) != (query is None) or url != other:
        raise _Unusable(path, "good or bad and total must come from one source")
    if total is None or query is None:
        return Push()
    return Ratio(url, total, query if ratio.good else "", query if ratio.bad else "", ratio.counter)


def _query(work: _Work, metric: Metric, path: Path) -> tuple[str, str | None]:
    """URL and PromQL of a metric; an empty URL and None for one that is pushed."""
    source = metric.metric_source
    details: object = None
    kind = source.type
    if source.metric_source_ref is not None:
        found = work.bundle.spec(DataSourceSpec, source.metric_source_ref)
        if found is None:
            raise _Unusable(path, f"there is no DataSource '{source.metric_source_ref}'")
        kind, details = kind or found.type, found.connection_details
        if unused := sorted(map(str, details.keys() - {"url"})) if isinstance(details, Mapping) else []:
            home = work.bundle.objects["DataSource", source.metric_source_ref]
            reason = f"only url is used here; {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not"
            work.notes.append(home.problem(("spec", "connectionDetails"), reason))
    if kind.lower() == PUSHED:
        return "", None
    if kind.lower() != "prometheus":
        raise _Unusable(path, f"metric sources of type {kind!r} are not read here; use Prometheus or push")
    url = details.get("url", work.prometheus) if isinstance(details, Mapping) else work.prometheus
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise _Unusable(path, "no Prometheus to ask: give connectionDetails.url in its DataSource, or prometheus.url")
    query = source.spec.get("query")
    if not isinstance(query, str) or not query.strip():
        raise _Unusable(path, "metricSource.spec.query must be a PromQL expression")
    return url, query
