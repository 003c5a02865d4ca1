"""PromQL from catalogued metrics: names come from the catalogue, never from a string. `P` restricts to the board's pipeline variable."""

from typing import Final

from slo.catalogue import Metric

P: Final = 'pipeline=~"$pipeline"'
S: Final = 'slo=~"$slo"'
"""Restricts to the board's objectives."""


def pick(metric: Metric, *matchers: str) -> str:
    """The metric's series of the chosen pipelines (if it has that label), with further matchers."""
    mine = (P,) if "pipeline" in metric.labels else ()
    return f"{metric.name}{{{', '.join((*mine, *matchers))}}}"


def rate(metric: Metric, *by: str, where: tuple[str, ...] = ()) -> str:
    """A counter's rate a second, summed by labels."""
    return f"sum by ({', '.join(by)}) (rate({pick(metric, *where)}[$__rate_interval]))"


def total(metric: Metric, *by: str, where: tuple[str, ...] = ()) -> str:
    """A gauge summed by labels."""
    return f"sum by ({', '.join(by)}) ({pick(metric, *where)})"


def highest(metric: Metric, *by: str, where: tuple[str, ...] = ()) -> str:
    """A gauge's highest value by labels."""
    return f"max by ({', '.join(by)}) ({pick(metric, *where)})"


def quantile(q: float, metric: Metric, *by: str, where: tuple[str, ...] = ()) -> str:
    """A quantile of a histogram, by labels."""
    buckets = f"rate({metric.name}_bucket{{{', '.join((*((P,) if 'pipeline' in metric.labels else ()), *where))}}}[$__rate_interval])"
    return f"histogram_quantile({q}, sum by ({', '.join((*by, 'le'))}) ({buckets}))"


def buckets(metric: Metric, *, where: tuple[str, ...] = ()) -> str:
    """A histogram's buckets for a heatmap."""
    inside = ", ".join((*((P,) if "pipeline" in metric.labels else ()), *where))
    return f"sum by (le) (increase({metric.name}_bucket{{{inside}}}[$__rate_interval]))"


def age(metric: Metric, *by: str) -> str:
    """Seconds since a metric that holds a Unix time."""
    return f"time() - {highest(metric, *by)}"


def happened(metric: Metric, window: str, *by: str, where: tuple[str, ...] = ()) -> str:
    """Not empty while a counter has risen within `window`, by labels; also when it has just begun: a counter that begins at 1 has not increased."""
    one, keys = pick(metric, *where), ", ".join(by)
    return (
        f"sum by ({keys}) (increase({one}[{window}])) > 0 or sum by ({keys}) ({one} unless {one} offset {window}) > 0"
    )
