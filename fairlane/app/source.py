"""Where the pages get what they show: one port, so that tests and screenshots use the page that production uses."""

from typing import Protocol

from fairlane.app.docket import DocketSource
from fairlane.app.observation import Observation
from slo.errors import NotFound


class LiveSource(Protocol):
    """Answers at once from memory and never raises for a broker or database that is away: it says so in `Observation.parts`."""

    def pipelines(self) -> tuple[str, ...]:
        """The pipelines that can be shown, the default first; at least one."""
        ...

    def observe(self, pipeline: str) -> Observation:
        """What is known about `pipeline` now. Raises KeyError for a pipeline that is not in `pipelines()`."""
        ...

    def ready(self) -> bool:
        """True once the first look at the broker has succeeded or failed for good: the page has something true to say."""
        ...

    def start(self) -> None:
        """Begin to follow; called once, when the app starts."""
        ...

    def stop(self) -> None:
        """Stop following within a few seconds; called once, when the app stops."""
        ...


class Source(LiveSource, DocketSource, Protocol):
    """What all pages together are made from."""


def chosen(source: LiveSource | DocketSource, name: str) -> str:
    """The pipeline `name`, or the first one for "". Raises NotFound for one that is not there."""
    known = source.pipelines()
    if name and name not in known:
        raise NotFound(f"there is no pipeline {name!r}; there {'is' if len(known) == 1 else 'are'} {', '.join(known)}")
    return name or known[0]
