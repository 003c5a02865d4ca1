"""Every rule of Fairlane, in the order in which the file shows them."""

from collections.abc import Iterator
from typing import Final

from alerts import burn, health
from alerts.config import AlertSettings
from alerts.model import Alert, Group, Recording
from alerts.render import to_yaml
from slo.windows import FAST_SLOW, GOOGLE_MWMB, window_name

PIPELINE_BOARD: Final = "fairlane-pipeline"
ISOLATION_BOARD: Final = "fairlane-isolation"


def windows() -> tuple[str, ...]:
    """Every window of every preset as a Prometheus duration, shortest first."""
    seconds = {s for pair in (*GOOGLE_MWMB, *FAST_SLOW) for s in (pair.long_s, pair.short_s)}
    return tuple(window_name(s) for s in sorted(seconds))


def groups() -> tuple[Group, ...]:
    """All rule groups. Their number and size do not depend on pipelines, tokens or objectives."""
    return (*burn.groups(windows(), PIPELINE_BOARD), *health.groups(PIPELINE_BOARD, ISOLATION_BOARD))


def alerts() -> Iterator[Alert]:
    """All alert rules."""
    return (rule for group in groups() for rule in group.rules if isinstance(rule, Alert))


def recordings() -> Iterator[Recording]:
    """All recording rules."""
    return (rule for group in groups() for rule in group.rules if isinstance(rule, Recording))


def rules(settings: AlertSettings) -> str:
    """The rule file as Prometheus reads it."""
    return to_yaml({"groups": [group.body(settings) for group in groups()]})
