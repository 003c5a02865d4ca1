"""Burn-rate rules: a constant number for any number of objectives, because targets and thresholds are series that are joined in.

Recorded per window: the error ratio, the burn rate and the bad events; then the pairs of windows that burn; then two alerts, and one for the case that the
database counts otherwise. Without coverage an alert neither starts
nor ends: while it is *frozen* it keeps itself firing by its own ALERTS series, as long as the objective is known.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from alerts.model import Alert, Group, Recording, Tier
from slo import metrics

PAGE: Final = "FairlaneBudgetBurnPage"
TICKET: Final = "FairlaneBudgetBurnTicket"
MISMATCH: Final = "FairlaneMismatch"
MIN_COVERAGE: Final = 0.9
"""Share of a window that must have been observed."""
MIN_BAD: Final = 100
"""A page needs this many bad events in its long window; fewer make a ticket."""
MIN_BAD_MINUTES: Final = 2
"""And bad events in this many of the last five minutes."""
STALE_S: Final = 120
"""An evaluation older than this says nothing about coverage."""
COMPARED: Final = "1h"
"""The window over which Prometheus' burn rate is compared with the database's."""
COMPARED_S: Final = 3_600
COMPARED_LATE_S: Final = 900
"""Whose minutes are known later than that is not compared: a counter tells them when they are known, the database where they belong."""
TOLERANCE: Final = 0.1
"""They may differ by this share ..."""
TOLERANCE_LEAST: Final = 0.5
"""... or by this burn rate, whichever is more: late data move between minutes in one of them only."""

ERRORS: Final = "slo:error:ratio"
BURN: Final = "slo:burn:ratio"
BAD: Final = "slo:bad:increase"
BAD_MINUTES: Final = "slo:bad_minutes:count5m"
COVERAGE: Final = "slo:coverage:ratio"
COVERED: Final = "slo:coverage:min"
THRESHOLD: Final = "slo:burn:threshold"
BURNING: Final = "slo:burning:ratio"
KNOWN: Final = "slo:known:bool"
RECORDED: Final[dict[str, tuple[str, ...]]] = {
    ERRORS: ("slo", "pipeline", "population", "window"),
    BURN: ("slo", "pipeline", "population", "window"),
    BAD: ("slo", "window"),
    BAD_MINUTES: ("slo",),
    COVERAGE: ("slo", "window"),
    COVERED: ("slo", "pair"),
    THRESHOLD: ("slo", "window", "tier", "pair", "side"),
    BURNING: ("slo", "pipeline", "population", "window", "tier", "pair"),
    KNOWN: ("slo",),
}
"""The recorded series and their labels, for whoever queries them."""

_BY: Final = "slo, pipeline, population"


def groups(windows: Sequence[str], dashboard: str) -> Iterator[Group]:
    """The recordings (in the order in which they build on each other) and the two alerts. `windows` are Prometheus durations, each once."""
    yield Group("fairlane-slo-recordings", "30s", tuple(_recordings(windows)))
    yield Group("fairlane-slo-alerts", "30s", tuple(_alerts(dashboard)))


def _recordings(windows: Sequence[str]) -> Iterator[Recording]:
    good, expected, revised = metrics.GOOD.name, metrics.EXPECTED.name, metrics.REVISIONS.name
    for window in windows:
        label = {"window": window}
        due = f"sum by ({_BY}) (increase({expected}[{window}]))"
        # good and due are raised by what was revised: their difference is exact, what was due is less. Where more was revised than the window holds, those
        # minutes lie before it, and all that is due in it is its own; the same where an exporter of an older build does not tell of revisions
        yield Recording(
            ERRORS,
            f"clamp(\n  ({due} - sum by ({_BY}) (increase({good}[{window}])))\n"
            f"    / ({due} - sum by ({_BY}) (increase({revised}[{window}])) > 0.5\n      or {due} > 0.5),\n  0, 1\n)",
            label,
        )
        yield Recording(
            BAD,
            f"clamp_min(sum by (slo) (increase({expected}[{window}])) - sum by (slo) (increase({good}[{window}])), 0)",
            label,
        )
    yield Recording(BURN, f"{ERRORS}\n  / on (slo) group_left ()\n(1 - max by (slo) ({metrics.TARGET.name}))")
    yield Recording(
        BAD_MINUTES,
        # the increase over a minute misses what is counted between its last scrape and the next minute's first, the difference of single samples all of
        # the first minute of a series
        f"max by (slo) ({metrics.BAD_MINUTES.name})\nor\ncount_over_time(\n  (\n"
        f"    sum by (slo) (({expected} - {good}) - ({expected} offset 1m - {good} offset 1m)) > 0.5\n"
        f"    or sum by (slo) (increase({expected}[1m]) - increase({good}[1m])) > 0.5\n  )[5m:1m]\n)",
    )
    yield Recording(THRESHOLD, f"max by (slo, window, tier, pair, side) ({metrics.THRESHOLD.name})")
    yield Recording(
        COVERAGE,
        f"max by (slo, window) ({metrics.COVERAGE.name})\n"
        f"  * (time() - scalar(max({metrics.LAST_EVALUATION.name})) < bool {STALE_S})",
    )
    # of the worse covered window of a pair: a short one that runs empty must not end an alert
    yield Recording(COVERED, f"min by (slo, pair) ({THRESHOLD} * 0 + on (slo, window) group_left () {COVERAGE})")
    target = metrics.TARGET.name
    yield Recording(
        KNOWN,
        f"group by (slo) ({target})\nor\ngroup by (slo) (\n  last_over_time({target}[1d]) unless on (pipeline) group by (pipeline) ({target})\n)",
    )
    yield Recording(
        BURNING,
        f"max by ({_BY}, window, tier, pair) (\n"
        f'  {BURN} > on (slo, window) group_right (pipeline, population) {THRESHOLD}{{side="long"}}\n'
        f")\nand on (slo, tier, pair)\n"
        f'({BURN} > on (slo, window) group_right () {THRESHOLD}{{side="short"}})',
    )


def _alerts(dashboard: str) -> Iterator[Alert]:
    enough = f"({BAD} >= {MIN_BAD} and on (slo) {BAD_MINUTES} >= {MIN_BAD_MINUTES})"
    yield Alert(
        PAGE,
        # with the newest minutes missing, no bad ones among them do not end a page
        _or_frozen(PAGE, f'{BURNING}{{tier="page"}}\n  and on (slo, window) {enough}', f'{BURNING}{{tier="page"}}'),
        Tier.PAGE,
        "freshness",
        "{{ $labels.slo }} burns its error budget (pair {{ $labels.pair }})",
        "{{ $labels.slo }} of pipeline {{ $labels.pipeline }} exceeds its burn-rate threshold over {{ $labels.window }} and over the short window of the pair. "
        "Run `fairlane status`: it names the diagnosis and the token, if there is one.",
        dashboard,
    )
    slow = f'(\n    {BURNING}{{tier="ticket"}}\n    or\n    ({BURNING}{{tier="page"}} unless on (slo, window) {enough})\n  )'
    yield Alert(
        TICKET,
        _or_frozen(TICKET, slow),
        Tier.TICKET,
        "freshness",
        "{{ $labels.slo }} spends its error budget too fast (pair {{ $labels.pair }})",
        "{{ $labels.slo }} of pipeline {{ $labels.pipeline }} exceeds its burn-rate threshold over {{ $labels.window }}, slowly, or with so few bad events that nobody is woken. "
        "Look at it within a working day.",
        dashboard,
    )
    yield _mismatch(dashboard)


def _mismatch(dashboard: str) -> Alert:
    """Compared only while both speak of the same minutes: the counters have grown by as many observed seconds as the window has."""
    ours = f'max by (slo, window) ({metrics.BURN.name}{{window="{COMPARED}"}})'
    observed = f"max by (slo) (increase({metrics.OBSERVED.name}[{COMPARED}]))"
    return Alert(
        MISMATCH,
        f'(\n  abs({BURN}{{window="{COMPARED}"}} - on (slo, window) group_left () {ours})\n'
        f"    > on (slo, window) group_left () clamp_min({TOLERANCE} * {ours}, {TOLERANCE_LEAST})\n)\n"
        f"and on (slo) abs({observed} / {COMPARED_S} - 1) < {TOLERANCE}\n"
        f'and on (slo, window) {COVERAGE}{{window="{COMPARED}"}} >= {MIN_COVERAGE}\n'
        f"unless on (slo) {metrics.LATE.name} > {COMPARED_LATE_S}",
        Tier.TICKET,
        "telemetry",
        "Prometheus and the database disagree on {{ $labels.slo }}",
        "Their burn rates of the same hour differ by {{ $value | humanize }}: one of them would page wrongly. "
        "Look for a second exporter of the same series, lost scrapes, or rules of another version.",
        dashboard,
        hold="20m",
    )


def _or_frozen(name: str, measured: str, still: str = "") -> str:
    """`measured` where both windows of the pair are covered; where they are not, what `name` was firing for before.

    `still`: pairs that hold on to it as well while another pair of their objective is not covered.
    """
    covered = f"{COVERED} >= {MIN_COVERAGE}"
    ended = (
        f"({covered})"
        if not still
        else f"(\n    {covered}\n    unless on (slo, pair) ({still} and on (slo) {COVERED} < {MIN_COVERAGE})\n  )"
    )
    return (
        f"(\n  {measured}\n  and on (slo, pair) {covered}\n)\nor on (slo, pair)\n(\n"
        f'  max by ({_BY}, window, pair) (last_over_time(ALERTS{{alertname="{name}", alertstate="firing"}}[5m]))\n'
        f"  unless on (slo, pair) {ended}\n  and on (slo) {KNOWN}\n)"
    )
