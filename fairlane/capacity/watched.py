"""What is watched: Fairlane's own limits, and those of the files."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fairlane.objectives import texts
from fairlane.settings import Settings
from slo.capacity.limit import Budget, Limit, Own, Source
from slo.capacity.read import read
from slo.capacity.standing import Standing
from slo.errors import ConfigError
from slo.presets import MOVED_WITHIN_S

DISK, PARTITION, OVERFLOW = "disk", "partition", "overflow"
DISK_SHARES: Final = (0.7, 0.9)
"""Used shares of the disk at which work must have begun, and at which it is too late."""
RHO: Final = (0.7, 1.0)
"""Utilisation of the busiest partition: over 1 its worker never catches up."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that is watched. Names are unique over limits and budgets."""

    limits: tuple[Limit, ...]
    budgets: tuple[Budget, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of limits, then budgets."""
        return (*(limit.name for limit in self.limits), *(budget.name for budget in self.budgets))

    @property
    def sources(self) -> Mapping[str, Source]:
        """Where the values of each name come from."""
        return {limit.name: limit.source for limit in self.limits} | {one.name: one.source for one in self.budgets}


def watched(settings: Settings) -> Watched:
    """What `settings` have watched. Raises ConfigError with one line per problem."""
    own = tuple(own_limits(settings))
    limits, budgets = read(texts(settings.capacity.files), settings.slo.prometheus)
    if clash := {limit.name for limit in own} & set(Watched(limits, budgets).names):
        raise ConfigError(
            f"capacity.files: {', '.join(sorted(clash))} is watched by Fairlane itself; give it another name"
        )
    return Watched((*own, *limits), budgets)


def own_limits(settings: Settings) -> Iterator[Limit]:
    """The disk under the state directory, the busiest partition of general, the longest wait in a side lane."""
    config, pipeline = settings.capacity, settings.pipeline.name
    total = _disk_bytes(settings)
    if total:
        trigger, critical = DISK_SHARES
        yield Limit(
            f"{pipeline}-disk",
            "Disk of the state directory: databases, logs, a local Kafka",
            "bytes",
            trigger * total,
            critical * total,
            config.disk_lead_days,
            config.owner,
            "a larger disk, or shorter retention",
            Own(DISK),
        )
    yield Limit(
        f"{pipeline}-busiest-partition",
        "Utilisation of general's busiest partition, had nobody been moved",
        "share",
        *RHO,
        config.partition_lead_days,
        config.owner,
        "more partitions, or a cheaper handler",
        Own(PARTITION),
    )
    yield Limit(
        f"{pipeline}-side-lane-wait",
        "Longest wait in overflow and quarantine: moved tokens are promised 15 minutes",
        "seconds",
        MOVED_WITHIN_S * 2 / 3,
        MOVED_WITHIN_S,
        config.overflow_lead_days,
        config.owner,
        "more workers in the side lanes",
        Own(OVERFLOW),
    )


def _disk_bytes(settings: Settings) -> int:
    """Of the file system that holds the state directory, or will; 0 when it cannot be told."""
    place = settings.state_dir
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).total
    except OSError:
        return 0


def worst_first(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """Red before yellow, then by slack."""
    return tuple(sorted(standings, key=lambda s: s.trouble))
