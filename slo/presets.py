"""The objectives that come with a pipeline."""

from decimal import Decimal
from typing import Final

from slo.objective import Audience, Objective, Sli

MOVED_WITHIN_S: Final = 900.0
"""What is promised to a moved token: visible within this many seconds of capture."""
RUNBOOK: Final = "docs/runbooks/FairlaneBudgetBurnPage.md"
MAX_LAG: Final = 10_000
"""Records a partition."""


def objective_name(pipeline: str, sli: Sli, population: Audience = Audience.ALL) -> str:
    """Such as `events-freshness-protected`, `events-oldest-age`."""
    tail = f"-{population}" if sli is Sli.FRESHNESS else ""
    return f"{pipeline}-{sli.replace('_', '-')}{tail}"


def pipeline_objectives(
    pipeline: str, slo_s: float = 30.0, *, owner: str = "pipeline", windows: str = "google-mwmb"
) -> tuple[Objective, ...]:
    """The set of one pipeline whose freshness threshold T is `slo_s` seconds; worst news first."""

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
        )

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
    )
