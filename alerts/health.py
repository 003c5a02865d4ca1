"""Alerts on the machinery itself: the controller, the telemetry, the lanes, the data."""

from collections.abc import Iterator
from typing import Final

from alerts.alertmanager import WATCHDOG
from alerts.model import Alert, Group, Tier
from ingestion.contracts.names import SIDE_LANES
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo import metrics as slo

BLIND_S: Final = 60
"""A controller whose last decision is older than this is blind."""
STALE_S: Final = 60
"""Telemetry older than this is stale."""
MOVED_SLO_S: Final = 900
"""What moved tokens are promised: visible within 15 minutes."""
SKEW_S: Final = 5
"""A clock that is ahead of Prometheus' by more than this is wrong."""
_REMEMBER: Final = "1d"
"""How long a series that has gone is still missed: a dead process exports nothing, which must not look like health."""
_SIDE: Final = "|".join(SIDE_LANES)


def groups(pipeline_board: str, isolation_board: str) -> Iterator[Group]:
    """The alerts by area. The arguments are uids of dashboards."""
    yield Group("fairlane-control", "15s", tuple(_control(isolation_board)))
    yield Group("fairlane-telemetry", "15s", tuple(_telemetry(pipeline_board)))
    yield Group("fairlane-lanes", "15s", tuple(_lanes(pipeline_board)))
    yield Group("fairlane-data", "1m", (_quality(pipeline_board),))
    yield Group("fairlane-watchdog", "30s", (_watchdog(pipeline_board),))


def _control(board: str) -> Iterator[Alert]:
    last = isolator.LAST_TICK.name
    yield Alert(
        "FairlaneBlindController",
        f"time() - max by (pipeline) (last_over_time({last}[{_REMEMBER}])) > {BLIND_S}\nor\nabsent(last_over_time({last}[{_REMEMBER}]))",
        Tier.PAGE,
        "control",
        "Nobody watches pipeline {{ $labels.pipeline }} for noisy tenants",
        f"The controller's last decision is more than {BLIND_S} s old, or none has ever reported. Routes that stand keep standing; nothing new is moved or restored. "
        "Restart `fairlane serve controller`.",
        board,
        hold="15s",
    )
    yield Alert(
        "FairlaneMovesRefused",
        f"max by (pipeline) ({isolator.MOVES_REFUSED.name} or {lanes.MOVES_REFUSED.name}) > 0",
        Tier.PAGE,
        "lanes",
        "Pipeline {{ $labels.pipeline }} refuses new moves: the fence's memory is full on a partition",
        "180 (token, lane) entries of one partition are not drained yet. Make the side lanes drain; tokens that are moved stay moved.",
        board,
        hold="30s",
    )
    yield Alert(
        "FairlaneTokenMoved",
        f"sum by (pipeline) (max by (pipeline, lane) ({isolator.MOVED_TOKENS.name})) > 0",
        Tier.NOTIFY,
        "control",
        "{{ $value }} token(s) of pipeline {{ $labels.pipeline }} are outside the general lane",
        "`fairlane status` lists who is moved and since when, `fairlane explain TOKEN` says why.",
        board,
    )


def _telemetry(board: str) -> Iterator[Alert]:
    silent, unbooked = (
        f"time() - max by (pipeline) (last_over_time({name}[{_REMEMBER}])) > {STALE_S}"
        for name in (slo.CAPTURED_AT.name, slo.BOOKED_AT.name)
    )
    sources = (
        ("probe", f"time() - max by (pipeline) (last_over_time({probe.LAST_ROUND.name}[{_REMEMBER}])) > {STALE_S}"),
        ("booking", unbooked),
        ("capture", f"(\n  {silent}\n  unless on (pipeline) {unbooked}\n)"),
        ("evaluation", f"time() - max(last_over_time({slo.LAST_EVALUATION.name}[{_REMEMBER}])) > {STALE_S}"),
    )
    yield Alert(
        "FairlaneStaleTelemetry",
        "\nor\n".join(f'label_replace({expr}, "source", "{source}", "", "")' for source, expr in sources),
        Tier.PAGE,
        "telemetry",
        "The {{ $labels.source }} of pipeline {{ $labels.pipeline }} is stale",
        "The newest numbers are {{ $value | humanizeDuration }} old. Burn alerts are frozen meanwhile and the controller makes no new moves. "
        "Restart the process behind {{ $labels.source }}: both continue where they stopped.",
        board,
        hold="1m",
    )
    ahead = (
        ("controller", f"max by (pipeline) ({isolator.LAST_TICK.name}) - time() > {SKEW_S}"),
        ("probe", f"max by (pipeline) ({probe.LAST_ROUND.name}) - time() > {SKEW_S}"),
        ("broker", f"max by (pipeline) ({slo.BOOKED_AT.name}) - time() > {SKEW_S}"),
    )
    yield Alert(
        "FairlaneClockSkew",
        "\nor\n".join(f'label_replace({expr}, "source", "{source}", "", "")' for source, expr in ahead),
        Tier.TICKET,
        "telemetry",
        "The clock of the {{ $labels.source }} of pipeline {{ $labels.pipeline }} is ahead",
        "It is {{ $value | humanizeDuration }} ahead of Prometheus' clock. Ages and freshness are wrong by that much. Mend time synchronisation on that host.",
        board,
        hold="2m",
    )


def _lanes(board: str) -> Iterator[Alert]:
    lag, committed = probe.LAG.name, probe.COMMITTED.name
    dead = f'{lanes.RECORDS.name}{{outcome="dead"}}'
    yield Alert(
        "FairlaneOverflowWillNotDrain",
        f'sum by (pipeline, lane) (max by (pipeline, lane, partition) ({lag}{{lane=~"{_SIDE}"}}))\n'
        f"  /\nclamp_min(\n"
        f'  sum by (pipeline, lane) (max by (pipeline, lane, partition) (delta({committed}{{lane=~"{_SIDE}"}}[5m]))) / 300,\n  0\n)\n> {MOVED_SLO_S}',
        Tier.TICKET,
        "lanes",
        "{{ $labels.lane }} of pipeline {{ $labels.pipeline }} will not drain within the moved tokens' promise",
        f"At the speed of the last five minutes what stands in {{{{ $labels.lane }}}} takes {{{{ $value | humanizeDuration }}}}; moved tokens are promised {MOVED_SLO_S // 60} minutes. "
        "Add workers to that lane, or restart a stalled one.",
        board,
        hold="5m",
    )
    yield Alert(
        "FairlaneLogStartPastCommitted",
        f"max by (pipeline, lane, partition) ({probe.LOG_START_AHEAD.name}) > 0",
        Tier.PAGE,
        "data",
        "Records of {{ $labels.pipeline }}.{{ $labels.lane }}/{{ $labels.partition }} were deleted before they were handled",
        "{{ $value }} offsets left the log below the committed position. Stop the loss: raise the topic's retention now, then read the runbook before anything else.",
        board,
    )
    yield Alert(
        "FairlaneDeadLetters",
        # a counter that begins with its first dead letter has not increased: it is new
        f"sum by (pipeline, lane) (increase({dead}[10m])) > 0\nor\nsum by (pipeline, lane) ({dead} unless {dead} offset 10m) > 0",
        Tier.TICKET,
        "data",
        "{{ $labels.lane }} of pipeline {{ $labels.pipeline }} gave up records",
        "About {{ $value | humanize }} records went to the dead letters in ten minutes. Each carries its reason in the header `dead-reason`.",
        board,
    )
    yield Alert(
        "FairlaneLanePaused",
        f"max by (pipeline, lane) ({lanes.PAUSED.name}) > 0",
        Tier.PAGE,
        "data",
        "A worker has paused {{ $labels.lane }} of pipeline {{ $labels.pipeline }}",
        "Its handler fails on records of several tokens: a broken sink or a broken deploy. Nothing is lost; the lane waits. Mend the sink or roll the handler back.",
        board,
    )
    yield Alert(
        "FairlaneWildcardHold",
        f"sum by (pipeline, lane) ({lanes.WILDCARD.name}) > 0",
        Tier.PAGE,
        "lanes",
        "{{ $value }} partition(s) of pipeline {{ $labels.pipeline }} are held: their fence was lost",
        "Somebody reset the group's offsets, or wrote a commit without metadata. The partitions wait until the side lanes have drained; make those drain, touch no offsets.",
        board,
        hold="30s",
    )


def _watchdog(board: str) -> Alert:
    return Alert(
        WATCHDOG,
        "vector(1)",
        Tier.HEARTBEAT,
        "watchdog",
        "Alerting works",
        "Always fires. An external heartbeat raises the alarm when this one is missing.",
        board,
    )


def _quality(board: str) -> Alert:
    return Alert(
        "FairlaneDataQuality",
        f"max by (pipeline, type, signal) ({slo.QUALITY.name}) > on (signal) group_left () max by (signal) ({slo.QUALITY_LIMIT.name})",
        Tier.TICKET,
        "data",
        "{{ $labels.signal }} of {{ $labels.type }} in pipeline {{ $labels.pipeline }} is {{ $value | humanizePercentage }}",
        "`fairlane quality` lists every event type with the counts behind it, the worst first.",
        board,
        hold="10m",
    )
