"""Whose metrics the pager reads besides its own process's."""

import os

from fairlane.settings import Settings
from fairlane.stack import running


def targets(settings: Settings) -> tuple[str, ...]:
    """Base URLs: those that are set, else every other process of `fairlane up` with this state directory."""
    if settings.pager.targets:
        return settings.pager.targets
    now = running.find(settings.state_dir)
    return tuple(role.url for role in now.roles.values() if role.pid != os.getpid()) if now is not None else ()
