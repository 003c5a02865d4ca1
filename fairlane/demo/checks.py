"""What each scene promises, checked against its report. Pure: a check fails when the report does not bear it out."""

from collections.abc import Iterator
from typing import Final

from fairlane.demo.culprits import Culprit
from fairlane.demo.report import FRESH_SHARE, Check, Report
from fairlane.demo.scenes import SCENES, SceneName
from ingestion.contracts.names import Lane

LATE_SHARE: Final = 0.001
"""Of everyone else's events so many may be over the SLO while one culprit is found."""
LANE_OF: Final = {"hung": Lane.QUARANTINE, "slow": Lane.OVERFLOW, "flood": Lane.OVERFLOW}
"""Where each kind of culprit belongs on the demo's stage."""


def checks(report: Report, slo_s: float) -> tuple[Check, ...]:
    """The promises of the report's scene and mode. A trace promises no more than a clean account."""
    found = [_account(report)]
    scene = next((name for name in SceneName if name.value == report.scene), None)
    if scene is None:
        return tuple(found)
    if report.mode == "off":
        found.append(Check("with the isolator off nobody is moved", not report.moves, f"{len(report.moves)} moves"))
    elif scene is SceneName.SURGE:
        found += _nobody_is_blamed(report)
    elif scene is SceneName.MIXED:
        found += _told_apart(report, slo_s)
    else:
        found += _one_culprit(report, slo_s)
    return tuple(found)


def _account(report: Report) -> Check:
    events = report.events
    seen = (
        f"{events.accepted} accepted, {events.visible} visible, {events.dead} dead; {events.missing} missing, "
        f"{events.duplicated} duplicated, {events.out_of_order} out of order, {events.strangers} from nowhere"
    )
    whole = events.clean and events.visible + events.dead == events.accepted
    return Check("every accepted event is visible or a dead letter, once and in order", whole, seen)


def _nobody_is_blamed(report: Report) -> Iterator[Check]:
    yield Check("nobody is moved", not report.moves, f"{len(report.moves)} moves")
    ticks = report.diagnoses.get("capacity", 0)
    yield Check("the diagnosis is capacity", ticks > 0, f"in {ticks} of {sum(report.diagnoses.values())} decisions")


def _one_culprit(report: Report, slo_s: float) -> Iterator[Check]:
    flood, others = report.flood, report.innocents
    moved = [move["token"] for move in report.moves if move["to"] != Lane.GENERAL]
    yield Check("the culprit is moved, once, and nobody else", moved == [flood.token], f"moved: {_listed(moved)}")
    yield _within("everyone else is fresh again within the SLO", flood.protected_s, slo_s)
    yield Check(
        f"at most {LATE_SHARE:.1%} of everyone else's events are over the SLO",
        others.over_slo_ratio <= LATE_SHARE,
        f"{others.over_slo} of {others.events}",
    )
    restored = flood.restored_s
    yield Check("the culprit comes back when it is calm", restored is not None, _after(restored))


def _told_apart(report: Report, slo_s: float) -> Iterator[Check]:
    for culprit in report.culprits:
        yield _recognised(culprit)
    hung = sum(culprit.dead for culprit in report.culprits if culprit.is_a == "hung")
    hangs = SCENES[SceneName.MIXED].hangs
    yield Check(
        "what hangs its handler ends as a dead letter, and nothing else does",
        hung == report.events.dead == hangs,
        f"{report.events.dead} dead letters, {hung} of them of the hung token, {hangs} sent",
    )
    strangers = sorted({str(move["token"]) for move in report.moves} - {culprit.token for culprit in report.culprits})
    yield Check("nobody else is moved", not strangers, f"moved besides: {_listed(strangers)}")
    yield _within(
        "everyone else is fresh again while the clients still send",
        report.innocents.freshness_at_end_s,
        FRESH_SHARE * slo_s,
    )


def _recognised(culprit: Culprit) -> Check:
    lane = LANE_OF[culprit.is_a]
    return Check(
        f"{culprit.token} is taken for {culprit.is_a} and moved to {lane}",
        (culprit.diagnosed, culprit.moved_to) == (culprit.is_a, str(lane)),
        f"taken for {culprit.diagnosed or 'nothing'}, moved to {culprit.moved_to or 'nowhere'} {_after(culprit.moved_s)}",
    )


def _within(promise: str, seconds: float | None, limit_s: float) -> Check:
    held = seconds is not None and seconds <= limit_s
    return Check(promise, held, "never" if seconds is None else f"{seconds:.1f} s, at most {limit_s:g} s allowed")


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds:.1f} s"


def _listed(tokens: list[object] | list[str]) -> str:
    return ", ".join(map(str, tokens)) or "nobody"
