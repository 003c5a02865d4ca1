"""Every constant of the decision, in one place. The numbers are design section 4's; each field says its unit and what it decides."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final

from slo.errors import ConfigError

WARM_ENOUGH: Final = 0.7
"""Share of warm_s that counts as warm: a day of learning that fades with a day's half-life never sums to a whole day."""
BINS: Final = 12
"""Seconds that the observer keeps one by one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The decision's constants. Raises ConfigError, naming the field and the reason, when one is impossible."""

    slo_s: float = 30.0
    """seconds: T, an event is good when it is visible within T of capture."""
    tick_s: float = 5.0
    """seconds between decisions."""

    half_life_s: float = 10.0
    """seconds: half-life of the arrival rates."""
    sustained_s: int = 2
    """seconds: a rate that was seen in each of the last so many seconds counts at once, before the half-life has caught up."""
    rate_sigmas: float = 2.0
    """standard deviations taken off a short window's rate, so that noise never raises an estimate."""
    cost_half_life_s: float = 60.0
    """seconds: half-life of a token's cost per event."""
    cost_prior_events: float = 2.0
    """events: weight of the usual cost against the measured one."""
    forward_s: float = 7e-6
    """seconds of work that one forward costs."""

    gate_delay_share: float = 1 / 3
    """share of the SLO: a partition whose delay (or horizon delay) is beyond it may be hot."""
    gate_rho: float = 1.0
    """utilisation over which the horizon delay counts."""
    gate_rho_backlog: float = 0.8
    """utilisation over which a backlog of gate_delay_share is hot, because it hardly drains."""
    gate_rho_early: float = 0.92
    """utilisation over which (confirmed like the rest) a culprit that explains all of the load is moved before there is a queue: halfway between what may come back and a full consumer, which what rises has become by the time that the move acts."""
    horizon_s: float = 30.0
    """seconds ahead for the horizon delay D + horizon * max(rho - 1, 0)."""
    confirm_ticks: int = 2
    """hot ticks among the last confirm_window that confirm a partition."""
    confirm_window: int = 3
    """ticks."""

    stall_busy: float = 0.6
    """share of capacity: busy under it with a backlog means that the consumer stalls."""
    rebalance_s: float = 15.0
    """seconds after an assignment in which a backlog is the rebalance's."""
    deploy_ratio: float = 1.5
    """times: service time over its own usual one that counts as up."""
    deploy_share: float = 0.5
    """share of the usual work whose service time is up: then it is the build, not a tenant."""
    hung_s: float = 60.0
    """seconds one record may run before its worker is called hung."""
    blame_in_flight_share: float = 1 / 3
    """share of the SLO: a record running longer is blamed before it ends."""
    change_s: float = 900.0
    """seconds after a change note (`POST /v1/changes`) in which slower events of most tenants are the change's at once."""
    hot_key_share: float = 0.5
    """share of a partition's work that one key must do to be called hot."""
    stale_s: float = 10.0
    """seconds without telemetry after which no new move is made."""

    guard_share: float = 0.02
    """share of mu on a hot partition that a candidate must do."""
    guard_ratio: float = 3.0
    """times its own baseline work."""
    guard_cost_ratio: float = 3.0
    """times its own baseline cost per event."""
    guard_fdr: float = 1e-3
    """Benjamini-Hochberg false discovery rate of the volume test."""
    guard_drift_tokens: int = 16
    """tokens with the largest excess, left out when the growth common to everybody is measured."""
    dispersion: float = 20.0
    """size k of the negative binomial for a token whose own is not yet known (variance m + m^2/k)."""
    dispersion_min: float = 2.0
    """smallest size k that a bursty history may give."""
    dispersion_max: float = 200.0
    """largest size k that a steady history may give."""
    dispersion_ticks: int = 60
    """calm ticks before a token's own dispersion is believed."""

    benefit_ratio: float = 3.0
    """times the forward time: cheaper events are not worth forwarding."""
    benefit_forward_share: float = 0.2
    """share of mu that forwarding may take."""

    limit_s: float = 600.0
    """seconds after which a limit at capture ends by itself; doubled with every limit within strike_window_s, up to calm_max_s."""
    limit_slack: float = 0.8
    """share of its limit under which a limited token is calm: it no longer pushes against the limit."""

    target_rho: float = 0.8
    """utilisation that a cover must reach on every hot partition and consumer."""
    drain_s: float = 60.0
    """seconds within which (or within the SLO, if shorter) the rest of the backlog must drain."""
    min_relief: float = 0.25
    """share of the needed relief that the candidates together must bring; less is no culprit but a lack of capacity."""

    structural: str = "alert"
    """off | alert | move: what to do about an overload without a culprit. More workers help, not fewer tenants; `move` takes the largest tokens away until there are more."""
    structural_ticks: int = 3
    """ticks without a culprit after which an overload is called structural."""

    budget_min: int = 3
    """tokens that may always be moved."""
    budget_tokens: float = 1e-4
    """share of the active tokens that may be moved."""
    budget_traffic: float = 0.1
    """share of the baseline traffic that the moved tokens may make up."""
    budget_tick_share: float = 0.2
    """share of the token budget that one tick may use (at least one)."""

    overflow_share: float = 0.5
    """times overflow's capacity beyond which a token goes to quarantine; over 1 where overflow may be late."""

    verify_ticks: int = 3
    """ticks after which a move must have shown its effect."""
    verify_share: float = 0.5
    """share of the predicted drop of rho that must be seen."""
    bar_s: float = 600.0
    """seconds for which a wrong culprit is not moved again."""

    restore_ratio: float = 2.0
    """times its baseline work under which a token is calm."""
    restore_floor: float = 0.01
    """share of a consumer's capacity under which a token is calm whatever its baseline (a rare token's is a few events): half of guard_share, under which it is no candidate."""
    restore_rho: float = 0.85
    """utilisation with the token back, that must not be reached."""
    restore_delay_share: float = 0.25
    """share of the SLO under which every delay must be."""
    calm_s: float = 60.0
    """seconds of calm before the first restore; doubled with every strike."""
    calm_max_s: float = 3600.0
    """seconds: longest calm that is asked for."""
    strike_window_s: float = 6 * 3600.0
    """seconds for which a past move counts as a strike."""
    hold_max_s: float = 2.0
    """seconds: the workers' hold_max; a side lane must be within half of it before a token comes back."""

    warm_s: float = 86_400.0
    """seconds of calm learning before `auto` may move on its own (24 h; the demo says that it shortens it)."""
    learn_delay_ticks: int = 2
    """ticks that must stay calm before a tick is learned, so that the first seconds of a flood are not."""
    learn_half_life_s: float = 86_400.0
    """seconds: half-life of the baselines."""
    prior_events: float = 1.0
    """events: weight of the population's mean rate in a token's baseline."""
    prior_rate: float = 0.01
    """events per second of a token while the population is unknown."""
    prior_cost_s: float = 1e-3
    """seconds of work per event while the population is unknown."""

    repeat_s: float = 600.0
    """seconds after which a finding that was not acted on is recorded again."""
    proposal_s: float = 900.0
    """seconds for which a proposal can be approved."""
    verdict_keep_s: float = 86_400.0
    """seconds for which verdicts stay in fairlane.state."""
    forget_s: float = 30 * 86_400.0
    """seconds after which a route that has long been back to general is forgotten."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_kind(field.name, _KINDS[str(field.type)], getattr(self, field.name))
        for name in _SHARES:
            if getattr(self, name) > 1:
                raise ConfigError(f"policy.{name} is a share: it must not exceed 1, not {getattr(self, name)}")
        for low, high, why in _ORDER:
            if getattr(self, low) > getattr(self, high):
                raise ConfigError(
                    f"policy.{low} ({getattr(self, low)}) must not exceed policy.{high} ({getattr(self, high)}): {why}"
                )
        for name, holds, why in _LAWS:
            if not holds(self):
                raise ConfigError(f"policy.{name} ({getattr(self, name)}) is impossible: {why}")

    @staticmethod
    def of(overrides: Mapping[str, Any]) -> "Policy":
        """The default policy with `overrides` (numbers may come as text). Raises ConfigError for an unknown name, a wrong type or an impossible value."""
        known = {f.name: _KINDS[str(f.type)] for f in fields(Policy)}
        values: dict[str, Any] = {}
        for name, value in overrides.items():
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean policy.{near[0]}?" if near else f"known are {', '.join(sorted(known))}"
                raise ConfigError(f"policy.{name} does not exist; {hint}")
            values[name] = _converted(known[name], value)
        return Policy(**values)


_KINDS: Final[dict[str, type]] = {str(kind): kind for kind in (int, float, str)}


def _check_kind(name: str, kind: type, value: object) -> None:
    if kind is str:
        if not isinstance(value, str):
            raise ConfigError(f"policy.{name} must be a str, not {value!r}")
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind is int and not isinstance(value, int)):
        raise ConfigError(f"policy.{name} must be {_ARTICLE[kind]}, not {value!r}")
    if name in _ZERO and value == 0:
        raise ConfigError(f"policy.{name} must be greater than 0, not {value}: {_ZERO[name]}")
    if not value > 0:
        raise ConfigError(f"policy.{name} must be greater than 0, not {value}")
    if not math.isfinite(value):
        raise ConfigError(f"policy.{name} must be a finite number, not {value}")


def _converted(kind: type, value: object) -> object:
    if kind is str or not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return value  # judged as it is
    try:
        number = float(value)
        return int(number) if kind is int and number.is_integer() else number if kind is float else value
    except (ValueError, OverflowError):
        return value


_ARTICLE: Final = {int: "a whole number", float: "a number"}
_ZERO: Final = {
    "budget_min": "nobody could ever be moved; to watch only, set mode = observe",
    "budget_tick_share": "nobody could ever be moved; to watch only, set mode = observe",
    "budget_traffic": "nobody could ever be moved; to watch only, set mode = observe",
    "verify_ticks": "a move would be judged before it can act",
    "confirm_ticks": "every partition would always be hot",
}

_SHARES = (
    "gate_delay_share",
    "stall_busy",
    "deploy_share",
    "blame_in_flight_share",
    "hot_key_share",
    "guard_share",
    "guard_fdr",
    "benefit_forward_share",
    "target_rho",
    "min_relief",
    "budget_tokens",
    "budget_traffic",
    "budget_tick_share",
    "verify_share",
    "restore_floor",
    "restore_delay_share",
    "restore_rho",
    "limit_slack",
)
_ORDER = (
    ("confirm_ticks", "confirm_window", "it could never be confirmed"),
    ("restore_floor", "guard_share", "a restored token would be a candidate at once"),
    ("restore_ratio", "guard_ratio", "a restored token would be suspect at once"),
    ("target_rho", "restore_rho", "a cover would never allow a restore"),
    ("restore_rho", "gate_rho_early", "a restored token would be moved again at once"),
    ("gate_rho_early", "gate_rho", "early means before it is over capacity"),
    ("restore_delay_share", "gate_delay_share", "a restore would be allowed on a hot partition"),
    ("dispersion_min", "dispersion_max", "it is a range"),
    ("dispersion_min", "dispersion", "what is assumed without a history must lie in the range"),
    ("dispersion", "dispersion_max", "what is assumed without a history must lie in the range"),
    ("calm_s", "calm_max_s", "it is a range"),
    ("tick_s", "stale_s", "every tick would be blind"),
    ("tick_s", "half_life_s", "rates would be forgotten from one tick to the next"),
    ("tick_s", "cost_half_life_s", "costs would be forgotten from one tick to the next"),
    ("tick_s", "horizon_s", "it would look no further ahead than the next tick"),
    ("tick_s", "calm_s", "one calm tick would restore a token"),
    ("tick_s", "proposal_s", "a proposal would be gone before anybody reads it"),
    ("repeat_s", "proposal_s", "there would be times in which nothing can be approved"),
    ("target_rho", "gate_rho_backlog", "a partition would still be hot after its cover"),
    ("gate_rho_backlog", "gate_rho", "a backlog asks for less than none"),
    ("calm_s", "limit_s", "a limit would end before its token can be seen calm"),
    ("limit_s", "calm_max_s", "the longest limit is calm_max_s"),
    ("calm_max_s", "strike_window_s", "a strike would be forgotten before its calm time is over"),
    ("proposal_s", "verdict_keep_s", "a proposal would be forgotten before it expires"),
    ("strike_window_s", "forget_s", "strikes would be forgotten with their route"),
    ("hold_max_s", "slo_s", "a hold would break the objective by itself"),
)
_LAWS: Final[tuple[tuple[str, Callable[[Policy], bool], str], ...]] = (
    ("guard_ratio", lambda p: p.guard_ratio > 1, "it must be over 1, or every token would be suspect"),
    ("guard_cost_ratio", lambda p: p.guard_cost_ratio > 1, "it must be over 1, or every token would be suspect"),
    ("deploy_ratio", lambda p: p.deploy_ratio > 1, "it must be over 1, or every minute would be a deploy"),
    ("benefit_ratio", lambda p: p.benefit_ratio >= 1, "under 1 a move would cost more than it saves"),
    (
        "guard_share",
        lambda p: p.guard_share < p.target_rho,
        "it must be under target_rho: a candidate would have to bring more than a partition may bear",
    ),
    (
        "slo_s",
        lambda p: p.slo_s >= 2 * p.tick_s,
        "it must be at least two ticks: it would be lost before it is decided",
    ),
    (
        "verify_ticks",
        lambda p: p.verify_ticks * p.tick_s < p.bar_s,
        "verify_ticks * tick_s must be under bar_s: the bar would end before the next move could be judged",
    ),
    (
        "hung_s",
        lambda p: p.hung_s >= p.slo_s * p.blame_in_flight_share,
        "it must not be under slo_s * blame_in_flight_share: a record would be hung before it is blamed",
    ),
    (
        "learn_half_life_s",
        # what fades with a half-life sums to at most half_life / ln 2
        lambda p: p.learn_half_life_s / math.log(2) > p.warm_s * WARM_ENOUGH,
        "what is learned fades faster than warm_s asks for: the baselines would never be warm",
    ),
    (
        "confirm_window",
        lambda p: p.confirm_window * p.tick_s <= p.slo_s + p.tick_s,
        "the window must not be longer than the objective",
    ),
    (
        "stale_s",
        lambda p: p.stale_s <= p.slo_s,
        "it must not exceed slo_s: a decision could rest on what is older than the objective",
    ),
    ("sustained_s", lambda p: p.sustained_s <= BINS, f"only {BINS} s are kept second by second"),
    ("structural", lambda p: p.structural in {"off", "alert", "move"}, "it is off, alert or move"),
)
