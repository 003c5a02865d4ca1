"""Every rule of Fairlane, in the order in which the file shows them."""

from collections.abc import Iterable, Iterator
from typing import Final

from alerts import burn, capacity, health
from alerts.config import AlertSettings
from alerts.model import Alert, Group, Recording
from alerts.render import to_yaml
from slo.errors import ConfigError
from slo.objective import Objective
from slo.windows import FAST_SLOW, GOOGLE_MWMB, window_name

ONCALL_BOARD: Final = "fairlane-oncall"
PIPELINE_BOARD: Final = "fairlane-pipeline"
ISOLATION_BOARD: Final = "fairlane-isolation"
CAPACITY_BOARD: Final = "fairlane-capacity"
MOST: Final = 60
"""Rules in all."""


def windows(own: Iterable[int] = ()) -> tuple[str, ...]:
    """Every window of every preset, and those of `own` (seconds), as Prometheus durations, shortest first."""
    seconds = {s for pair in (*GOOGLE_MWMB, *FAST_SLOW) for s in (pair.long_s, pair.short_s)}
    return tuple(window_name(s) for s in sorted(seconds | set(own)))


def own_windows(objectives: Iterable[Objective]) -> frozenset[int]:
    """The windows (seconds) that objectives bring themselves."""
    return frozenset(s for o in objectives for pair in o.custom for s in (pair.long_s, pair.short_s))


def groups(own: Iterable[int] = ()) -> tuple[Group, ...]:
    """All rule groups. Their number and size do not depend on pipelines, tokens or objectives, only on the different windows that objectives bring (`own`).

    Raises ConfigError for so many windows that there would be more than MOST rules.
    """
    found = (
        *burn.groups(windows(own), ONCALL_BOARD),
        *health.groups(PIPELINE_BOARD, ISOLATION_BOARD),
        *capacity.groups(CAPACITY_BOARD),
    )
    count = sum(len(group.rules) for group in found)
    if count > MOST:
        raise ConfigError(
            f"the objectives bring so many different alert windows ({', '.join(windows(own))}) that {count} rules would be needed; "
            f"at most {MOST} are written. Let objectives share their windows"
        )
    return found


def alerts() -> Iterator[Alert]:
    """All alert rules."""
    return (rule for group in groups() for rule in group.rules if isinstance(rule, Alert))


def recordings(own: Iterable[int] = ()) -> Iterator[Recording]:
    """All recording rules, with those of the windows that objectives bring."""
    return (rule for group in groups(own) for rule in group.rules if isinstance(rule, Recording))


def rules(settings: AlertSettings, own: Iterable[int] = ()) -> str:
    """The rule file as Prometheus reads it, with the windows that objectives bring. Raises ConfigError as `groups`."""
    return to_yaml({"groups": [group.body(settings) for group in groups(own)]})
