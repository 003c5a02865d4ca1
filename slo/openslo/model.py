"""The seven kinds of OpenSLO v1, as the specification's text has them. Unknown fields are refused."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from slo.calendar import NO_ZONES
from slo.openslo.duration import Duration, parse_duration
from slo.openslo.scalars import Bool, Label, Name, Number, Ref, Shorthand, SliceWindow, Text
from slo.source import Op

API_VERSION: Final = "openslo/v1"
_KEY: Final = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_PREFIX: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_MOST_PREFIX: Final = 253
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


class Part(BaseModel):
    """A mapping whose keys are written in camelCase; unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, raw: Any) -> Any:
        """A key without a value is as good as none, as in Kubernetes' YAML: the specification's own examples end in `alertPolicies:`."""
        known = {field.alias for field in cls.model_fields.values()}
        return (
            {key: value for key, value in raw.items() if value is not None or key not in known}
            if isinstance(raw, dict)
            else raw
        )


class Metadata(Part):
    """`metadata`."""

    name: Name
    display_name: str = ""
    labels: dict[str, Label] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for key in labels:
            if not _KEY.fullmatch(key):
                raise ValueError(f"{key!r} is no label key: at most 63 of a-z, A-Z, 0-9, '-', '_' and '.'")
        return labels

    @field_validator("annotations")
    @classmethod
    def _annotations(cls, annotations: dict[str, str]) -> dict[str, str]:
        for key in annotations:
            prefix, slash, name = key.rpartition("/")
            if not _KEY.fullmatch(name) or (slash and (len(prefix) > _MOST_PREFIX or not _PREFIX.fullmatch(prefix))):
                raise ValueError(f"{key!r} is no annotation key: an optional DNS subdomain, '/', and a name")
        return annotations


class MetricSource(Part):
    """`metricSource`: where a metric is read; `spec` is free."""

    metric_source_ref: Name | None = None
    type: str = ""
    spec: dict[str, Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.type and self.metric_source_ref is None:
            raise ValueError("type is needed where no metricSourceRef names a DataSource")
        return self


class Metric(Part):
    """One query."""

    metric_source: MetricSource


class RatioMetric(Part):
    """Good or bad over total, or a ratio that somebody else has computed."""

    counter: Bool = False
    good: Metric | None = None
    bad: Metric | None = None
    total: Metric | None = None
    raw_type: Literal["success", "failure"] | None = None
    raw: Metric | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.total is None) == (self.raw is None):
            raise ValueError("exactly one of total and raw is needed")
        if self.raw is not None:
            if self.good or self.bad:
                raise ValueError("raw is a finished ratio: good and bad cannot stand beside it")
            if self.raw_type is None:
                raise ValueError("rawType (success or failure) is needed with raw")
        elif (self.good is None) == (self.bad is None):
            raise ValueError("exactly one of good and bad is needed with total")
        elif self.raw_type is not None:
            raise ValueError("rawType belongs to raw, not to good or bad")
        return self


class SliSpec(Part):
    """`spec` of an SLI."""

    description: Text = ""
    threshold_metric: Metric | None = None
    ratio_metric: RatioMetric | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.threshold_metric is None) == (self.ratio_metric is None):
            raise ValueError("exactly one of thresholdMetric and ratioMetric is needed")
        return self


class InlineSli(Part):
    """An SLI inside of its SLO."""

    metadata: Metadata
    spec: SliSpec


class CalendarSpec(Part):
    """Where a calendar-aligned window begins."""

    start_time: str
    time_zone: str

    @field_validator("start_time")
    @classmethod
    def _time(cls, text: str) -> str:
        try:
            if not _TIME.fullmatch(text):
                raise ValueError(text)
            datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone stands in timeZone
        except ValueError:
            raise ValueError(f"{text!r} is no time that exists: write 2020-01-21 12:30:00") from None
        return text

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, text: str) -> str:
        if text not in available_timezones() - NO_ZONES:
            raise ValueError(f"{text!r} is no zone of the IANA database, such as America/New_York")
        return text


class TimeWindow(Part):
    """A rolling or a calendar-aligned window."""

    duration: Shorthand
    is_rolling: Bool = False
    calendar: CalendarSpec | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.is_rolling and self.calendar is not None:
            raise ValueError("calendar cannot stand beside isRolling: true")
        if not self.is_rolling and self.calendar is None:
            raise ValueError("isRolling: true or a calendar is needed")
        return self


class Threshold(Part):
    """One of `objectives`."""

    display_name: str = ""
    op: Op | None = None
    value: Number | None = None
    target: Annotated[Number, Field(ge=0, lt=1)] | None = None
    target_percent: Annotated[Number, Field(ge=0, lt=100)] | None = None
    time_slice_target: Annotated[Number, Field(gt=0, le=1)] | None = None
    time_slice_window: SliceWindow | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.target is None) == (self.target_percent is None):
            raise ValueError("exactly one of target and targetPercent is needed")
        return self

    @property
    def share(self) -> Decimal:
        """The target as a share, exactly."""
        return self.target if self.target is not None else (self.target_percent or Decimal(0)) / 100


class Condition(Part):
    """When an alert fires."""

    kind: Literal["burnrate"] = "burnrate"
    op: Op
    threshold: Number
    lookback_window: Shorthand
    alert_after: Annotated[Duration | None, BeforeValidator(lambda x: None if x == "0m" else parse_duration(x))] = None


class ConditionSpec(Part):
    """`spec` of an AlertCondition."""

    description: Text = ""
    severity: Annotated[str, Field(min_length=1)]
    condition: Condition


class TargetSpec(Part):
    """`spec` of an AlertNotificationTarget."""

    target: Annotated[str, Field(min_length=1)]
    description: Text = ""


class ConditionEntry(Part):
    """A condition by name, or inline."""

    condition_ref: Ref | None = None
    kind: Literal["AlertCondition"] | None = None
    metadata: Metadata | None = None
    spec: ConditionSpec | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        _inline_or(self, self.condition_ref, "conditionRef")
        return self


class TargetEntry(Part):
    """A notification target by name, or inline."""

    target_ref: Ref | None = None
    kind: Literal["AlertNotificationTarget"] | None = None
    metadata: Metadata | None = None
    spec: TargetSpec | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        _inline_or(self, self.target_ref, "targetRef")
        return self


class PolicySpec(Part):
    """`spec` of an AlertPolicy."""

    description: Text = ""
    alert_when_no_data: Bool = False
    alert_when_resolved: Bool = False
    alert_when_breaching: Bool = False
    conditions: Annotated[list[ConditionEntry], Field(min_length=1, max_length=1)]
    notification_targets: Annotated[list[TargetEntry], Field(min_length=1)]


class PolicyEntry(Part):
    """An alert policy by name, or inline."""

    alert_policy_ref: Ref | None = None
    kind: Literal["AlertPolicy"] | None = None
    metadata: Metadata | None = None
    spec: PolicySpec | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        _inline_or(self, self.alert_policy_ref, "alertPolicyRef")
        return self


class SloSpec(Part):
    """`spec` of an SLO."""

    description: Text = ""
    service: Annotated[str, Field(min_length=1)]
    indicator: InlineSli | None = None
    indicator_ref: Name | None = None
    time_window: Annotated[list[TimeWindow], Field(min_length=1, max_length=1)] | None = None
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"]
    objectives: Annotated[list[Threshold], Field(min_length=1)]
    alert_policies: list[PolicyEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.indicator is None) == (self.indicator_ref is None):
            raise ValueError("exactly one of indicator and indicatorRef is needed")
        for n, threshold in enumerate(self.objectives):
            where = f"objectives.{n}"
            if self.budgeting_method != "Occurrences" and threshold.time_slice_window is None:
                raise ValueError(f"{where}.timeSliceWindow is needed with {self.budgeting_method}")
            if self.budgeting_method == "Timeslices" and threshold.time_slice_target is None:
                raise ValueError(f"{where}.timeSliceTarget is needed with Timeslices")
        if self.indicator is not None and self.indicator.spec.threshold_metric is not None:
            check_thresholds(self)
        return self


class DataSourceSpec(Part):
    """`spec` of a DataSource; `connectionDetails` is free."""

    description: Text = ""
    type: Annotated[str, Field(min_length=1)]
    connection_details: Any = None


class ServiceSpec(Part):
    """`spec` of a Service."""

    description: Text = ""


def check_thresholds(spec: SloSpec) -> None:
    """What an SLO over a thresholdMetric needs. Raises ValueError."""
    if len(spec.objectives) > 1:
        raise ValueError("objectives: a thresholdMetric takes exactly one objective")
    if spec.objectives[0].op is None or spec.objectives[0].value is None:
        raise ValueError("objectives.0: op and value are needed with a thresholdMetric")


SPECS: Final[dict[str, type[Part]]] = {
    "DataSource": DataSourceSpec,
    "SLO": SloSpec,
    "SLI": SliSpec,
    "AlertPolicy": PolicySpec,
    "AlertCondition": ConditionSpec,
    "AlertNotificationTarget": TargetSpec,
    "Service": ServiceSpec,
}


def _inline_or(entry: "ConditionEntry | TargetEntry | PolicyEntry", ref: str | None, name: str) -> None:
    inline = (entry.kind, entry.metadata, entry.spec)
    if ref is not None and any(inline):
        raise ValueError(f"{name} cannot stand beside an inline definition")
    if ref is None and not all(inline):
        raise ValueError(f"{name} is needed, or kind, metadata and spec of an inline definition")
