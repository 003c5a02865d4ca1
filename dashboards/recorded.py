"""Series that the generated rules record, as far as panels show them. Alerts and dashboards do not know each other: a law test holds these to the rules."""

from typing import Final

from slo.catalogue import Metric

_BURN: Final = ("slo", "pipeline", "population", "window")

ERRORS: Final = Metric("slo:error:ratio", "gauge", _BURN, "ratio", "Bad share of what was due, by window")
BURN: Final = Metric("slo:burn:ratio", "gauge", _BURN, "ratio", "Burn rate by window")
THRESHOLD: Final = Metric(
    "slo:burn:threshold", "gauge", ("slo", "window", "tier", "pair", "side"), "ratio", "Burn rate that is too much"
)

RECORDED: Final[tuple[Metric, ...]] = (ERRORS, BURN, THRESHOLD)
"""All of them."""
