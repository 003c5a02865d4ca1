"""Ours with one part taken away at a time: what each part is for. The production policy is not touched: its constants are made so extreme that the part does nothing,
or the telemetry is edited before it is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from isolator.columns import WorkerColumns
from isolator.constants import Policy
from isolator.simulate.contender import Contender, Maker, Orders, Reports, Site
from isolator.simulate.ours import Fairlane

NEVER: Final = 10**9
NOTHING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Maimed(Policy):
    """A policy that nobody could configure: its constants are not checked, for taking a part away makes them contradict each other."""

    def __post_init__(self) -> None:
        """Check nothing."""


@dataclass(frozen=True)
class Without:
    """Makes ours under `name` with other constants."""

    name: str
    constants: tuple[tuple[str, Any], ...] = ()
    moves_backlog: bool = True

    def __call__(self, site: Site) -> Contender:
        policy = Maimed(slo_s=site.slo_s, **dict(self.constants))
        return Fairlane(site, policy, self.name, moves_backlog=self.moves_backlog)


@dataclass(frozen=True)
class ByVolume:
    """Makes ours blind to cost: every record that a worker handled is billed the same."""

    name: str

    def __call__(self, site: Site) -> "Levelled":
        return Levelled(Fairlane(site, name=self.name))


class Levelled:
    """Shares out each worker's handler seconds by records. Sums, utilisation and capacity stay what they are; who caused them does not."""

    def __init__(self, inner: Fairlane) -> None:
        self.inner = inner
        self.name, self.moves_backlog, self.tick_s = inner.name, inner.moves_backlog, inner.tick_s

    def see(self, reports: Reports) -> None:
        """Level, then hand on."""
        self.inner.see(replace(reports, workers=tuple(levelled(one) for one in reports.workers)))

    def tick(self, now_s: float) -> Orders:
        """As ours."""
        return self.inner.tick(now_s)


def levelled(report: WorkerColumns) -> WorkerColumns:
    """The same report with the work of each partition in proportion to the records handled there; records that run on are nobody's."""
    handled = report.records - report.forwarded
    count = int(max(report.partition.max(initial=0), report.partitions.max(initial=0))) + 1
    records = np.bincount(report.partition, handled, count).astype(np.float64)
    work = np.bincount(report.partition, report.work_s, count).astype(np.float64)
    records[report.partitions] += report.other_records
    work[report.partitions] += report.other_work_s
    each = np.divide(work, records, out=np.zeros(count), where=records > 0)
    return replace(
        report,
        work_s=handled * each[report.partition],
        other_work_s=report.other_records * each[report.partitions],
        in_flight=(),
    )


ABLATIONS: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        one.name: one
        for one in (
            # who does any work over the target is acted on at once, whether anything is late or not
            Without(
                "ours without gate",
                (
                    ("gate_delay_share", NOTHING),
                    ("gate_rho", 0.8),
                    ("confirm_ticks", 1),
                    ("confirm_window", 1),
                ),
            ),
            ByVolume("ours without work"),
            # everybody is a candidate
            Without(
                "ours without guard",
                (("guard_share", NOTHING), ("guard_ratio", NOTHING), ("guard_cost_ratio", NOTHING), ("guard_fdr", 1.0)),
            ),
            # a strike costs nothing: a minute of calm is always enough
            Without("ours without back-off", (("calm_max_s", 60.0),)),
            Without("ours without verify", (("verify_ticks", NEVER),)),
            Without("ours without backlog move", moves_backlog=False),
        )
    }
)
"""By the name that each carries. A maker can be sent to another process."""
