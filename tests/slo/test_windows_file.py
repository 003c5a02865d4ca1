"""Alert windows of a file: shares become factors, what could never be true is refused with its line."""

from fractions import Fraction

import pytest

from slo.errors import ConfigError
from slo.objective import Sli
from slo.presets import pipeline_objectives
from slo.windows import HOUR, MINUTE, Pair, Tier, preset
from slo.windows_file import pairs_of, read_windows

OWN = """
windows:
  - {long: 1h, short: 5m, budget_percent: 2, severity: page}
  - {long: 6h, short: 1h, factor: 2.5, severity: ticket}
"""


def test_shares_become_the_factors_of_the_objective_s_period() -> None:
    windows = read_windows(OWN, "w.yaml")
    assert pairs_of(windows, 30) == (
        Pair(HOUR, 5 * MINUTE, Fraction("14.4"), Tier.PAGE),
        Pair(6 * HOUR, HOUR, Fraction("2.5"), Tier.TICKET),
    )
    assert pairs_of(windows, 7)[0].factor == Fraction("3.36")
    assert pairs_of(windows, 7)[1].factor == Fraction("2.5"), "a factor is the same in every period"


def test_the_workbook_s_table_written_out_is_the_preset() -> None:
    rows = [("1h", "5m", 2, "page"), ("6h", "30m", 5, "page"), ("1d", "2h", 10, "ticket"), ("3d", "6h", 10, "ticket")]
    text = "windows:\n" + "".join(
        f"  - {{long: {a}, short: {b}, budget_percent: {c}, severity: {d}}}\n" for a, b, c, d in rows
    )
    assert pairs_of(read_windows(text, "w.yaml"), 30) == preset("google-mwmb", 30)


def test_a_pipeline_s_objectives_take_them_instead_of_the_preset() -> None:
    for o in pipeline_objectives("events", own_windows=read_windows(OWN, "w.yaml")):
        slow_only = o.sli in {Sli.VALID, Sli.COMPLETE, Sli.UNIQUE}
        assert [p.name for p in o.pairs] == (["6h/1h"] if slow_only else ["1h/5m", "6h/1h"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "one document with the key 'windows' is needed, not 0"),
        ("a: 1", "w.yaml:1: it must be a mapping with the one key 'windows'"),
        ("windows: []", "a list of one or more windows"),
        ("windows: [1h]", "w.yaml:1: windows.0: '1h' is no window"),
        ("windows:\n- {long: 1h, short: 5m, factr: 2, severity: page}", "w.yaml:2: windows.0: unknown key 'factr'; did you mean 'factor'; there are long"),
        ("windows: [{long: 1h, short: 5m, factor: 2}]", "'severity' is missing"),
        ("windows: [{long: 1h, short: 5m, factor: 2, severity: sms}]", "severity is page or ticket, not 'sms'"),
        ("windows: [{long: 1h, short: 1m, factor: 2, severity: page}]", "short 1m must be at least 2m, two slices"),
        ("windows: [{long: 1h, short: 1h, factor: 2, severity: page}]", "shorter than long 1h"),
        ("windows: [{long: 9w, short: 1h, factor: 2, severity: page}]", "longer than 31 days"),
        ("windows: [{long: 1.5h, short: 5m, factor: 2, severity: page}]", "'1.5h' is no duration"),
        ("windows: [{long: 1h, short: 5m, severity: page}]", "give one of factor and budget_percent"),
        ("windows: [{long: 1h, short: 5m, factor: 1, budget_percent: 1, severity: page}]", "give one of"),
        ("windows: [{long: 1h, short: 5m, factor: -1, severity: page}]", "factor: a number above 0 is needed, not -1"),
        ("windows: [{long: 1h, short: 5m, factor: .nan, severity: page}]", "a number above 0 is needed"),
        ("windows: [{long: 1h, short: 5m, budget_percent: 200, severity: page}]", "at most the whole budget, 100"),
        (OWN + "  - {long: 60m, short: 5m, factor: 3, severity: page}", "the windows 1h/5m stand there twice"),
        ("windows: [", "w.yaml"),
        ("a: &a [x,x]\nb: *a\nwindows: [*a]", "the one key 'windows'"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_with_the_place_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_windows(text, "w.yaml")
    assert told in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    text = "windows:\n- {long: 1h, short: 5m, severity: page}\n- {long: 1h, short: 9d, factor: 1, severity: page}\n"
    with pytest.raises(ConfigError) as refused:
        read_windows(text, "w.yaml")
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == ["w.yaml:2", "w.yaml:3"]


def test_a_factor_that_a_target_cannot_reach_is_refused_by_the_objective() -> None:
    text = "windows: [{long: 1h, short: 5m, factor: 150, severity: page}]"
    with pytest.raises(ConfigError, match=r"events-freshness-moved.*factor 150 can never be exceeded"):
        pipeline_objectives("events", own_windows=read_windows(text, "w.yaml"))
