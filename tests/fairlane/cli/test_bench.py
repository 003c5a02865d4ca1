"""`fairlane bench`: which benchmark takes which options."""

import pytest
from typer.testing import CliRunner

from fairlane.bench import BY_NAME_ONLY, GOALS, NAMES
from fairlane.cli import app, bench

RUN = CliRunner()


def test_every_benchmark_has_a_goal() -> None:
    assert set(NAMES) == set(GOALS)


def test_all_leaves_out_what_takes_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []
    monkeypatch.setattr(bench, "load", lambda name: lambda _say: played.append(name) or {})
    result = RUN.invoke(app, ["bench", "--json"])
    assert result.exit_code == 0, result.output
    assert played == [name for name in NAMES if name not in BY_NAME_ONLY]
    assert "isolation" not in played


def test_options_reach_the_benchmark_that_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(bench, "load", lambda _name: lambda _say, **options: given.update(options) or {})
    line = ["bench", "isolation", "--seeds", "3", "--ablation-seeds", "1", "--scenario", "ramp", "--contender", "none"]
    result = RUN.invoke(app, line)
    assert result.exit_code == 0, result.output
    assert given == {"seeds": 3, "ablation_seeds": 1, "scenario": ["ramp"], "contender": ["none"]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["forward", "--seeds", "3"], "--seeds goes with `fairlane bench isolation` only"),
        (["all", "--ablation-seeds", "3"], "--ablation-seeds goes with `fairlane bench isolation` only"),
        (["isolation", "--handler", "null"], "--handler goes with `fairlane bench partition` only"),
        (["nothing"], "there is no benchmark 'nothing'"),
    ],
    ids=["seeds", "all", "handler", "name"],
)
def test_an_option_of_another_benchmark_is_refused(line: list[str], said: str) -> None:
    result = RUN.invoke(app, ["bench", *line])
    assert result.exit_code != 0
    assert said in str(result.exception)
