"""`fairlane bench isolation`, made small."""

from pathlib import Path

import pytest

from fairlane.bench import isolation
from fairlane.bench.contest import OURS, Bout, Entrant, Group, entrants, played
from isolator.simulate.ablations import ABLATIONS
from isolator.simulate.rivals import RIVALS
from isolator.simulate.settings import Settings
from slo.errors import UsageError

SMALL = Settings(partitions=4, slots=2, tokens=400, rate=200.0, hours=0.06)


def test_everybody_plays() -> None:
    assert [one.name for one in entrants()] == [OURS.name, *RIVALS, *ABLATIONS]


def test_neither_processes_nor_company_change_a_result() -> None:
    none, sqs = (Entrant(n, Group.RIVAL, RIVALS[n]) for n in ("none", "SQS fair queues"))
    together = [Bout(what, 1, (none, sqs), SMALL, keep=("none",)) for what in ("one_flood", "whale")]
    apart = [Bout(what, 1, (one,), SMALL) for what in ("one_flood", "whale") for one in (none, sqs)]
    first, again, alone = (
        [r for bout in played(bouts, jobs=jobs) for r in bout]
        for bouts, jobs in ((together, 1), (together, 2), (apart, 1))
    )
    assert [(r.scenario, r.contender) for r in first] == [
        (what, one.name) for what in ("one_flood", "whale") for one in (none, sqs)
    ]
    assert [r.measures for r in first] == [r.measures for r in again] == [r.measures for r in alone]
    assert [bool(r.series) for r in again] == [True, False, True, False]


def test_a_run_writes_the_page_and_its_pictures_the_same_each_time(tmp_path: Path) -> None:
    said: list[str] = []
    pages = []
    for number in range(2):
        out = tmp_path / str(number)
        result = isolation.run(
            said.append,
            seeds=1,
            scenario=["one_flood", "whale"],
            contender=["none", "token bucket"],
            jobs=1,
            out=out,
            settings=SMALL,
        )
        pages.append({path.name: path.read_text() for path in sorted(out.iterdir())})
    assert pages[0] == pages[1]
    assert set(pages[0]) == {"isolation.md", "isolation-innocents.svg", "isolation-scatter.svg", "isolation-flood.svg"}
    assert str(tmp_path) not in pages[0]["isolation.md"]
    assert (result["runs"], result["rivals"]) == (6, 2)
    assert "none" in str(result["rivals_not_behind_on_both"])
    assert any(line.startswith("2/2 ") for line in said)


def test_when_the_time_is_over_the_page_holds_the_seeds_that_everybody_finished(tmp_path: Path) -> None:
    result = isolation.run(
        lambda _: None,
        seeds=3,
        scenario=["whale"],
        contender=["none"],
        minutes=0.0,
        jobs=1,
        out=tmp_path,
        settings=SMALL,
    )
    assert (result["seeds"], result["runs"]) == (1, 2)
    assert "--seeds 1 --ablation-seeds 1" in (tmp_path / "isolation.md").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scenario": ["flod"]}, "flod"),
        ({"contender": ["nobody"]}, "there is no contender 'nobody'"),
        ({"trace": [Path("no-such.csv")]}, "there is no such file"),
    ],
    ids=["scenario", "contender", "trace"],
)
def test_a_name_that_does_not_exist_is_refused_before_anything_is_played(
    options: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        isolation.run(print, seeds=1, out=tmp_path, **options)  # type: ignore[arg-type]
