"""Every series that a rule or a panel may name, with its labels."""

from alerts.burn import RECORDED
from fairlane.cli.docs import catalogue


def known_series(*, recorded: bool = True) -> dict[str, frozenset[str]]:
    """Series name to labels: the catalogues of all rooms, and what the recording rules add."""
    series: dict[str, frozenset[str]] = {}
    for metrics in catalogue().values():
        for metric in metrics:
            for name in metric.series:
                series[name] = frozenset(metric.labels) | ({"le"} if name.endswith("_bucket") else frozenset())
    if recorded:
        series |= {name: frozenset(labels) for name, labels in RECORDED.items()}
    return series
