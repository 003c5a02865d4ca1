"""Reading metrics: this process's own, and those of the others over HTTP."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from fairlane.pager.http import HttpPoster
from fairlane.pager.promql.samples import Labels
from slo.errors import Unreachable

Row = tuple[str, Labels, float]
AT_ONCE: Final = 16
INSTANCE: Final = "instance"
"""The label that tells processes apart, as with Prometheus."""
_log = logging.getLogger(__name__)


def own(registry: CollectorRegistry, names: frozenset[str]) -> Iterator[Row]:
    """The samples of these names in this process."""
    for family in registry.restricted_registry(sorted(names)).collect():
        for sample in family.samples:
            if sample.name in names:
                yield sample.name, frozenset({**sample.labels, INSTANCE: "self"}.items()), sample.value


def others(
    http: HttpPoster, targets: Sequence[str], names: frozenset[str], failed: Callable[[], None]
) -> Iterator[Row]:
    """The samples of these names of every target that answers; `failed` is called for each that does not. All are asked at once: one that hangs holds up nobody."""
    if not targets:
        return

    def read(target: str) -> list[Row] | None:
        try:
            return list(_parsed(http.read(f"{target}/metrics"), target, names))
        except (Unreachable, ValueError) as error:
            _log.warning("no metrics of %s: %s", target, error)
            return None

    with ThreadPoolExecutor(min(len(targets), AT_ONCE), "scrape") as pool:
        for rows in pool.map(read, targets):
            if rows is None:
                failed()
            else:
                yield from rows


def _parsed(text: str, target: str, names: frozenset[str]) -> Iterator[Row]:
    wanted = "\n".join(line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in names)
    for family in text_string_to_metric_families(wanted + "\n"):
        for sample in family.samples:
            if sample.name in names:
                yield sample.name, frozenset({**sample.labels, INSTANCE: target}.items()), sample.value
