"""Every promise of a scene can be broken, and then its check fails."""

from dataclasses import replace

import pytest

from fairlane.demo.checks import checks
from fairlane.demo.culprits import Culprit
from fairlane.demo.report import Broker, Events, Flood, Innocents, Report

SLO_S = 30.0
OUT = {"token": "noisy", "from": "general", "to": "overflow"}
BACK = {"token": "noisy", "from": "overflow", "to": "general"}
FLOOD = Report(
    Broker("4.1.1", 2.0),
    Events(accepted=1_000, visible=1_000, dead=0, missing=0, duplicated=0, out_of_order=0),
    Flood("noisy", 2.0, 2.5, 4.0, 60.0),
    [OUT, BACK],
    Innocents(900, 0, 0.0, 0.1, 1.0, 0.2),
    "flood",
    "auto",
    1,
    {"noisy_tenant": 3},
)
SURGE = replace(FLOOD, scene="surge", moves=[], flood=Flood(), diagnoses={"healthy": 4, "capacity": 3})
MIXED = replace(
    FLOOD,
    scene="mixed",
    events=Events(1_000, 999, 1, 0, 0, 0),
    moves=[{"token": t, "from": "general", "to": lane} for t, lane in (("h", "quarantine"), ("s", "overflow"), ("noisy", "overflow"))],
    culprits=(
        Culprit("h", "hung", "hung", "quarantine", 10.0, "hung", 1),
        Culprit("s", "slow", "slow", "overflow", 30.0, "noisy_tenant", 0),
        Culprit("noisy", "flood", "flood", "overflow", 25.0, "noisy_tenant", 0),
    ),
)  # fmt: skip
OFF = replace(FLOOD, mode="off", moves=[])
TRACE = replace(FLOOD, scene="trace load.csv", moves=[])


@pytest.mark.parametrize("kept", [FLOOD, SURGE, MIXED, OFF, TRACE], ids=lambda r: f"{r.scene}-{r.mode}")
def test_a_good_run_keeps_every_promise(kept: Report) -> None:
    found = checks(kept, SLO_S)
    assert found
    assert [check for check in found if not check.held] == []
    assert all(check.seen for check in found)


def other(report: Report, number: int, **changes: object) -> Report:
    """The report with one culprit changed."""
    culprits = list(report.culprits)
    culprits[number] = replace(culprits[number], **changes)
    return replace(report, culprits=tuple(culprits))


BROKEN = [
    ("an event is missing", replace(FLOOD, events=Events(1_000, 999, 0, 1, 0, 0)), "every accepted event"),
    ("an event is nowhere", replace(TRACE, events=Events(1_000, 999, 0, 0, 0, 0)), "every accepted event"),
    ("an effect from nowhere", replace(FLOOD, events=Events(9, 9, 0, 0, 0, 0, 1)), "every accepted event"),
    ("moved though off", replace(OFF, moves=[OUT]), "with the isolator off"),
    ("an innocent was moved", replace(FLOOD, moves=[OUT, {**OUT, "token": "x"}, BACK]), "the culprit is moved"),
    ("it was moved twice", replace(FLOOD, moves=[OUT, BACK, OUT, BACK]), "the culprit is moved"),
    ("nobody was moved", replace(FLOOD, moves=[]), "the culprit is moved"),
    ("protected too late", replace(FLOOD, flood=Flood("noisy", 2, 2, 31, 60)), "everyone else is fresh again"),
    ("never protected", replace(FLOOD, flood=Flood("noisy")), "everyone else is fresh again"),
    ("innocents late", replace(FLOOD, innocents=Innocents(900, 9, 0.01, 1, 40, 1)), "at most 0.1%"),
    ("never restored", replace(FLOOD, flood=Flood("noisy", 2, 2, 4)), "the culprit comes back"),
    ("somebody was blamed", replace(SURGE, moves=[OUT]), "nobody is moved"),
    ("nothing was diagnosed", replace(SURGE, diagnoses={"healthy": 7}), "the diagnosis is capacity"),
    ("slow taken for a flood", other(MIXED, 1, diagnosed="flood"), "s is taken for slow"),
    ("hung in overflow", other(MIXED, 0, moved_to="overflow"), "h is taken for hung"),
    ("the flood was not moved", other(MIXED, 2, moved_to=None, moved_s=None), "noisy is taken for flood"),
    ("another token's dead letter", replace(MIXED, events=Events(1_000, 998, 2, 0, 0, 0)), "what hangs its handler"),
    ("the hung one was handled", other(MIXED, 0, dead=0), "what hangs its handler"),
    ("an innocent beside them", replace(MIXED, moves=[*MIXED.moves, {**OUT, "token": "x"}]), "nobody else is moved"),
    ("late to the end", replace(MIXED, innocents=Innocents(9, 0, 0, 1, 9, 5.1)), "everyone else is fresh again"),
    ("nobody at the end", replace(MIXED, innocents=Innocents(9, 0, 0, 1, 9)), "everyone else is fresh again"),
]  # fmt: skip


@pytest.mark.parametrize(("report", "promise"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_promise_that_was_not_kept_fails_its_check(report: Report, promise: str) -> None:
    failed = [check.promise for check in checks(report, SLO_S) if not check.held]
    assert failed
    assert failed[0].startswith(promise)
