"""Nobody is isolated: what the pipeline does on its own."""

from typing import Final

from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note

NOTE: Final = Note(
    rule="Nobody is isolated.",
    sources=(),
    model="What the pipeline does on its own: fair shares of work among the partitions of a slot, as the worker gives them.",
)


class Nothing:
    """Gives no orders."""

    name = "none"
    moves_backlog = False
    tick_s = 60.0

    def __init__(self, site: Site) -> None:
        self.site = site

    def see(self, reports: Reports) -> None:
        """Look away."""

    def tick(self, now_s: float) -> Orders:  # noqa: ARG002
        """Do nothing."""
        return Orders()
