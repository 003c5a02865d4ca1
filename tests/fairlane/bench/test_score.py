"""The isolation benchmark's numbers, reading, page and pictures, on made-up runs."""

import math
import xml.etree.ElementTree as ET

import pytest

from fairlane.bench.contest import Group
from fairlane.bench.score import Score, score
from fairlane.bench.score_notes import Page, fidelity
from fairlane.bench.score_page import page
from fairlane.bench.score_pictures import bars, delays, scatter
from fairlane.bench.score_reading import UNEXPLAINED, ahead, better, not_beaten, reading, worse
from fairlane.bench.score_words import interval, number, percent, seconds, table
from isolator.simulate.events import Sample
from isolator.simulate.measures import Measures
from isolator.simulate.rivals import RIVALS
from isolator.simulate.run import Result, Wall
from isolator.simulate.settings import Settings
from isolator.simulate.summary import mean

EMPTY = dict.fromkeys(Measures.__slots__, 0) | {"decide_s": (), "isolate_s": (), "protect_s": (), "restore_s": ()}


def a_run(contender: str, scenario: str, kind: str, seed: int, **measured: object) -> Result:
    measures = Measures(**{**EMPTY, "innocents": 1_000.0, **measured})  # type: ignore[arg-type]
    series = tuple(Sample(float(t), 0.5, 0.6, float(t % 70), 0.0, 0, 0.0) for t in range(0, 300, 5))
    return Result(scenario, kind, seed, contender, measures, (), series, 60.0, 200.0, 300.0, Wall((), 1.0, 0))


def scored(name: str, group: Group, late: tuple[float, ...], false: tuple[int, ...] = (0, 0)) -> Score:
    runs = [
        a_run(name, "flood", "culprit", i, innocents_late=n, decide_s=(5.0 + i,), protect_s=(20.0,), restore_s=(60.0,))
        for i, n in enumerate(late)
    ]
    runs += [a_run(name, "ramp", "culprit", 1, innocents_late=0.0, decide_s=(1.0,))]
    runs += [
        a_run(name, "surge", "decoy", i, innocents_late=0.0 if n else 500.0, false_moves=n, false_tokens=n)
        for i, n in enumerate(false)
    ]
    runs += [a_run(name, "hung_for_ever", "limit", 1, innocents_late=900.0)]
    return score(name, group, runs)


OURS = scored("fairlane", Group.OURS, (0.0, 2.0))
WORSE = scored("top-10 by volume", Group.RIVAL, (100.0, 300.0), (10, 0, 10, 10))
QUIET = scored("none", Group.RIVAL, (500.0, 700.0))
WITHOUT = scored("ours without guard", Group.ABLATION, (0.0, 2.0), (3, 3))
ALL = [OURS, WORSE, QUIET, WITHOUT]


def a_page(scores: list[Score] = ALL) -> str:
    return page(Page("fairlane bench isolation --seeds 2", 2, Settings(), scores, [("tr", "1.0 h.", [OURS, QUIET])]))


def test_the_worst_scenario_and_the_means_are_those_of_the_runs() -> None:
    assert OURS.worst is not None
    assert OURS.worst.scenario == "flood"
    assert OURS.worst_harm == pytest.approx(0.001)
    assert OURS.late.mean == OURS.harmed.mean == pytest.approx(0.002 / 3)
    assert (OURS.decide_p50, OURS.protect_p95, OURS.restore_p95) == (5.0, 20.0, 60.0)
    assert WORSE.decoy_false.mean == 0.75
    assert WORSE.false.mean == pytest.approx(30 / 7)


def test_what_no_isolation_can_prevent_counts_in_no_total() -> None:
    alone = score("x", Group.RIVAL, [a_run("x", "hung_for_ever", "limit", 1, innocents_late=900.0, false_tokens=4)])
    assert (alone.worst, alone.late.mean, alone.false.mean) == (None, 0.0, 0.0)
    assert len(alone.cells) == 1


def test_an_undecided_episode_is_told_as_a_share() -> None:
    runs = [
        a_run("x", "flood", "culprit", 1, decide_s=(120.0,), undecided=1),
        a_run("x", "flood", "culprit", 2, decide_s=(5.0,)),
    ]
    assert score("x", Group.RIVAL, runs).undecided == 0.5


def test_only_who_is_worse_on_both_is_beaten() -> None:
    # `none` moves nobody: it can never be beaten on false moves
    assert [s.name for s in not_beaten(OURS, [WORSE, QUIET])] == ["none"]
    assert ahead(OURS, [WORSE, QUIET]) == []


def test_who_is_ahead_on_one_is_told_apart_from_who_is_level() -> None:
    careful = scored("SQS fair queues", Group.RIVAL, (0.0, 0.0))
    wrong = scored("ours", Group.OURS, (0.0, 2.0), (1, 0))
    assert ahead(OURS, [careful]) == [careful]
    assert [s.name for s in ahead(wrong, [WORSE, QUIET, careful])] == ["none", "SQS fair queues"]
    text = reading([OURS, WORSE, QUIET, careful])
    assert "- behind ours on both, 1 of 3: top-10 by volume (20 % harmed, 75 % false)" in text
    assert "level on both, 1: none (60 % harmed, 0 % false)" in text
    assert "- **ahead of ours on one**, 1: SQS fair queues (0 % harmed, 0 % false)" in text
    assert "- ours: fairlane (0.10 % harmed, 0 % false)." in text


def test_a_refused_innocent_is_harmed_and_a_refused_culprit_is_not() -> None:
    refusing = score(
        "x",
        Group.RIVAL,
        [
            a_run("x", "flood", "culprit", 1, innocents_late=10.0, innocents_refused=40.0, culprits_refused=700.0),
            a_run("x", "surge", "decoy", 1, innocents_refused=100.0),
        ],
    )
    assert (refusing.late.mean, refusing.worst_harm, refusing.harmed.mean) == pytest.approx((0.01, 0.05, 0.05))
    assert (refusing.refused.mean, refusing.culprits_refused) == pytest.approx((0.07, 700.0))
    assert [s.name for s in not_beaten(scored("o", Group.OURS, (20.0,)), [refusing])] == ["x"]
    assert "innocents refused 7.0 % (ours 0 %)" in worse(scored("o", Group.OURS, (20.0,)), refusing)


def test_the_reading_names_what_a_rival_does_better_with_both_numbers_and_why_by_other_numbers() -> None:
    ours = score("ours", Group.OURS, [a_run("o", "flood", "culprit", 1, decide_s=(5.0,))], 5.0)
    hasty = [
        a_run("b", "flood", "culprit", 1, decide_s=(0.5,), innocents_late=3.0),
        a_run("b", "surge", "decoy", 1, false_moves=1),
    ]
    faster = better(ours, score("b", Group.RIVAL, hasty, 1.0))
    assert faster[0] == (
        "time to decide, median 0.5 s (ours 5.0 s): it judges every 1 s, ours every 5 s and it needs less evidence: "
        "100 % of the decoy runs have a false move (ours 0 %)"
    )
    idle = [a_run("b", "flood", "culprit", 1, decide_s=(90.0,), undecided=1, innocents_late=1.0)]
    moving = score("ours", Group.OURS, [a_run("o", "flood", "culprit", 1, decide_s=(5.0,), false_tokens=2)], 5.0)
    assert better(moving, score("b", Group.RIVAL, idle, 5.0)) == [
        "innocent tokens moved a run 0 (ours 2.00): it acts less: in 100 % of the culprits' episodes it does nothing (ours 0 %)"
    ]


def test_a_reason_that_the_numbers_do_not_give_is_not_made_up() -> None:
    ours = score("ours", Group.OURS, [a_run("o", "flood", "culprit", 1, decide_s=(5.0,))], 1.0)
    rival = score("b", Group.RIVAL, [a_run("b", "flood", "culprit", 1, decide_s=(2.0,))], 1.0)
    assert better(ours, rival)[0] == f"time to decide, median 2.0 s (ours 5.0 s): {UNEXPLAINED}"


def test_a_difference_within_the_intervals_says_so() -> None:
    ours, rival = scored("o", Group.OURS, (90.0, 110.0)), scored("b", Group.RIVAL, (80.0, 112.0))
    assert (
        "innocents over the SLO or refused, worst culprit scenario 9.6 % (ours 10 %, within the intervals)"
        in "".join(better(ours, rival))
    )


def test_the_reading_holds_every_rival() -> None:
    quick = scored("token bucket", Group.RIVAL, (100.0, 300.0))
    assert better(OURS, quick) == []
    text = reading([OURS, quick, WORSE])
    assert "- **token bucket**: better in nothing that is measured here." in text
    assert "`surge`: 50 % late with ours, less with top-10 by volume (12 %, 7.50 moved for it)" in text


def test_the_fidelity_of_every_rival_is_told_with_its_source_and_its_own_numbers() -> None:
    text = fidelity(["none", *RIVALS])
    for name in RIVALS:
        assert f"**{name}.**" in text
    for fact in (
        "100 events a second, bursts of 1000",
        "over 10% of the messages in flight",
        "watched for 5 s",
        "holds 80% of",
        "over 5 s of symbolication time",
    ):
        assert fact in text
    assert text.count("](https://") >= 8


def test_a_rule_that_seldom_acts_is_not_quicker() -> None:
    runs = [
        a_run("b", "flood", "culprit", 1, decide_s=(1.0,), undecided=1, innocents_late=500.0),
        a_run("b", "flood", "culprit", 2, decide_s=(1.0,), undecided=1, innocents_late=500.0),
    ]
    assert not any("time to" in line for line in better(OURS, score("b", Group.RIVAL, runs)))


def test_the_page_holds_every_contender_scenario_and_trace_and_is_the_same_bytes_each_time() -> None:
    text = a_page()
    for name in [*(s.name for s in ALL), "flood", "ramp", "surge", "hung_for_ever", "### tr"]:
        assert name in text
    assert text == a_page()
    assert "innocent tokens moved a run 0 → 1.20" in text
    assert "nan %" not in text
    assert "nan s" not in text
    assert "\n\n\n" not in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    blocks = [b for b in a_page().split("\n\n") if b.startswith("|")]
    assert len(blocks) >= 7
    for block in blocks:
        assert len({line.count("|") for line in block.strip().splitlines()}) == 1


@pytest.mark.parametrize("scores", [ALL, [OURS]], ids=["all", "ours alone"])
def test_pictures_are_well_formed_and_the_same_bytes_each_time(scores: list[Score]) -> None:
    runs = [a_run(name, "one_flood", "culprit", 1) for name in ("fairlane", "none")]
    for draw in (lambda: bars(scores, "a < b"), lambda: scatter(scores, "a"), lambda: delays(runs, 30.0, "a")):
        assert draw() == draw()
        root = ET.fromstring(draw())
        assert root.tag.endswith("svg")
        numbers = [float(v) for e in root.iter() for k, v in e.attrib.items() if k in {"x", "y", "cx", "cy", "width"}]
        assert all(math.isfinite(n) and -1 <= n <= 2_000 for n in numbers)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1e-7, "<0.001 %"),
        (1e-4, "0.010 %"),
        (0.0012, "0.12 %"),
        (0.015, "1.5 %"),
        (0.5, "50 %"),
        (1, "100 %"),
    ],
)
def test_a_share_that_is_not_zero_never_reads_as_zero(share: float, text: str) -> None:
    assert percent(share) == text


def test_words() -> None:
    assert (seconds(None), seconds(5.52), seconds(1234.5)) == ("–", "5.5 s", "1,234 s")
    assert (number(0), number(0.5), number(12.34), number(1234.0)) == ("0", "0.50", "12.3", "1,234")
    assert interval(mean([0.1, 0.1])) == "10 %"
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
