"""Which processes make a whole pipeline on one machine, and how each is started."""

from dataclasses import dataclass
from typing import Final

from ingestion.contracts.names import Lane


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """One process: the arguments after `fairlane serve`, and the setting that holds the port on which it answers."""

    name: str
    args: tuple[str, ...]
    port_setting: str = "health.port"

    @property
    def section(self) -> str:
        """The settings section of its port."""
        return self.port_setting.partition(".")[0]


ALL: Final = (
    *(RoleSpec(f"worker-{lane}", ("worker", "--lane", str(lane))) for lane in Lane),
    RoleSpec("probe", ("probe",)),
    RoleSpec("controller", ("controller",)),
    RoleSpec("capture", ("capture",), "capture.port"),
    RoleSpec("web", ("web",), "web.port"),
)
"""In the order of their start: who handles records is there before the door opens."""
