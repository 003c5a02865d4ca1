"""Who can play, by name: the production policy and the rivals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from isolator.constants import Policy
from isolator.simulate.contender import Contender, Maker, Site
from isolator.simulate.ours import NAME, Fairlane
from isolator.simulate.rivals import RIVALS
from slo.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tuned:
    """A maker of the production policy with some constants of it set (as text, by name)."""

    overrides: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, site: Site) -> Contender:
        """Raises ConfigError for an unknown or impossible constant."""
        return Fairlane(site, Policy.of({"slo_s": site.slo_s, **self.overrides}))


NAMES: Final = (NAME, *RIVALS)


def maker(name: str, overrides: Mapping[str, str] | None = None) -> Maker:
    """The maker of that name. Raises UsageError, with the nearest name, for an unknown one, and for overrides of a policy that is not ours; ConfigError for an
    impossible policy.
    """
    if name == NAME:
        Policy.of(dict(overrides or {}))
        return Tuned(dict(overrides or {}))
    if name not in RIVALS:
        near = get_close_matches(name.lower(), NAMES, 1, 0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no contender {name!r}: {hint}Known are {', '.join(NAMES)}")
    if overrides:
        raise UsageError(f"--policy sets constants of {NAME}; {name} has its own rule")
    return RIVALS[name]
