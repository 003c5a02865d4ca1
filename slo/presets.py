"""The objectives that come with a pipeline."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from slo.objective import Audience, Objective, Sli
from slo.windows import Pair, Share, Tier
from slo.windows_file import pairs_of

MOVED_WITHIN_S: Final = 900.0
"""What is promised to a moved token: visible within this many seconds of capture."""
RUNBOOK: Final = "docs/runbooks/FairlaneBudgetBurnPage.md"
WINDOW_DAYS: Final = 30
CAPTURE_WITHIN_S: Final = 0.2
MAX_LAG: Final = 10_000
"""Records a partition."""


def objective_name(pipeline: str, sli: Sli, population: Audience = Audience.ALL) -> str:
    """Such as `events-freshness-protected`, `events-oldest-age`."""
    tail = f"-{population}" if sli is Sli.FRESHNESS else ""
    return f"{pipeline}-{sli.replace('_', '-')}{tail}"


def pipeline_objectives(
    pipeline: str,
    slo_s: float = 30.0,
    *,
    owner: str = "pipeline",
    windows: str = "google-mwmb",
    own_windows: tuple[Share | Pair, ...] = (),
) -> tuple[Objective, ...]:
    """The set of one pipeline whose freshness threshold T is `slo_s` seconds; worst news first.

    `own_windows` replace the preset `windows`. Raises ConfigError for windows that an objective's target makes impossible.
    """

    def one(sli: Sli, target: str, threshold: float, title: str, population: Audience = Audience.ALL) -> Objective:
        return Objective(
            name=objective_name(pipeline, sli, population),
            pipeline=pipeline,
            sli=sli,
            target=Decimal(target),
            threshold=threshold,
            population=population,
            owner=owner,
            runbook=RUNBOOK,
            title=title,
            windows=windows,
            custom=pairs_of(own_windows, WINDOW_DAYS),
            window_days=WINDOW_DAYS,
        )

    def quality(sli: Sli, target: str, title: str) -> Objective:
        # what a client sends wakes nobody: the windows that make tickets
        promise = one(sli, target, 0, title)
        slow = tuple(pair for pair in promise.pairs if pair.tier is Tier.TICKET)
        return replace(promise, custom=slow or promise.custom)

    within = f"{slo_s:g} s"
    return (
        one(Sli.FRESHNESS, "0.9999", slo_s, f"Protected events visible within {within}", Audience.PROTECTED),
        one(Sli.FRESHNESS, "0.999", slo_s, f"Events visible within {within}", Audience.ALL),
        one(
            Sli.FRESHNESS,
            "0.99",
            MOVED_WITHIN_S,
            "Moved tokens' events visible within 15 min",
            Audience.MOVED,
        ),
        one(Sli.OLDEST_AGE, "0.999", slo_s, f"Nothing in general waits longer than {within}"),
        one(Sli.LAG, "0.999", MAX_LAG, f"Lag under {MAX_LAG:,} records a partition"),
        one(Sli.CAPTURE_AVAILABILITY, "0.999", 0, "Events that capture accepts"),
        one(Sli.CAPTURE_LATENCY, "0.99", CAPTURE_WITHIN_S, "Requests that capture answers within 200 ms"),
        quality(Sli.VALID, "0.99", "Events that keep the contract"),
        quality(Sli.COMPLETE, "0.99", "Events with all their required fields"),
        quality(Sli.UNIQUE, "0.95", "Events that were not sent before"),
    )
