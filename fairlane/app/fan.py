"""A limit's past and its fan of futures as SVG text: what was, what likely comes, how sure that is, and where the lead time ends. Pure.

Built like `charts`: text keeps its size, the curves live in a stretched SVG inside; no style attributes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from markupsafe import Markup, escape

from fairlane.app.charts import hatch
from slo.capacity.limit import DAY
from slo.capacity.standing import Standing

HEIGHT: Final = 132
_TOP, _BOTTOM = 18, 20
_PLOT: Final = HEIGHT - _TOP - _BOTTOM
_WIDE: Final = 1000.0
PAST_DAYS: Final = 60
LEAST_AHEAD, MOST_AHEAD = 60, 400
"""Days of future that are drawn: a little past the late bound and the lead time, within these."""
GAP_DAYS: Final = 2
"""Days farther apart are not joined, but hatched."""
_ROOM: Final = 1.12


@dataclass(frozen=True, slots=True)
class Fan:
    """Days are day numbers since the Unix epoch."""

    key: str
    label: str
    today: int
    since: int
    until: int
    top: float
    past: tuple[tuple[int, float], ...]
    rays: tuple[tuple[int, float, float, float], ...]
    """Day, low, middle, high."""
    trigger: float
    critical: float
    critical_text: str
    lead_day: int
    empty: str


def fan_of(s: Standing, shown: Callable[[float | None], str]) -> Fan:
    """The picture of a standing; `shown` writes values."""
    today = int(s.at_s) // DAY
    found = s.forecast
    lead = today + round(s.limit.lead_days)
    late = None if found is None else found.late_s or found.likely_s or found.early_s
    ahead = max((late or 0) // DAY - today, lead - today) * _ROOM
    until = today + int(min(max(ahead, LEAST_AHEAD), MOST_AHEAD))
    past = tuple(sorted((day, value) for day, value in s.daily.items() if today - PAST_DAYS <= day <= today))
    rays = tuple((r.at_s // DAY, r.low, r.middle, r.high) for r in found.fan) if found is not None else ()
    rays = tuple(ray for ray in rays if today <= ray[0] <= until)
    highest = max((value for _, value in past), default=0.0)
    top = max(s.limit.critical, highest) * _ROOM
    label = f"{s.limit.title}: now {shown(s.current)} of {shown(s.limit.critical)}; "
    if found is None:
        label += "no forecast"
    elif found.likely_s is None:
        label += "not reached"
    else:
        label += f"likely reached about {_date(found.likely_s // DAY)}, lead time over on {_date(lead)}"
    empty = "" if past else "no sample in the last two months"
    key = f"fan-{s.limit.name}"
    return Fan(
        key,
        label,
        today,
        today - PAST_DAYS,
        until,
        top,
        past,
        rays,
        s.limit.trigger,
        s.limit.critical,
        shown(s.limit.critical),
        lead,
        empty,
    )


def draw_fan(fan: Fan) -> Markup:
    """The picture, with what it says in its label too."""
    parts = [
        Markup('<svg class="chart fan" height="{h}" width="100%" role="img" aria-label="{l}">').format(
            h=HEIGHT, l=fan.label
        ),
        hatch(f"hatch-{fan.key}"),
        *_months(fan),
        Markup(
            '<svg x="0" y="{y}" width="100%" height="{h}" viewBox="0 0 {w:.0f} {h}" preserveAspectRatio="none">'
        ).format(y=_TOP, h=_PLOT, w=_WIDE),
        *_unknown(fan),
        *_curves(fan),
        Markup("</svg>"),
        *_levels(fan),
        *_uprights(fan),
    ]
    if fan.empty:
        parts.append(
            Markup('<text class="nothing mid" x="50%" y="{y}">{t}</text>').format(y=_TOP + _PLOT // 2 + 8, t=fan.empty)
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _curves(fan: Fan) -> list[Markup]:
    parts: list[Markup] = []
    if fan.rays:
        upper = [(day, high) for day, _, _, high in fan.rays]
        lower = [(day, low) for day, low, _, _ in reversed(fan.rays)]
        parts.append(Markup('<polygon class="spread" points="{p}"/>').format(p=_points(fan, [*upper, *lower])))
        middle = [(day, mid) for day, _, mid, _ in fan.rays]
        parts.append(Markup('<polyline class="line likely" points="{p}"/>').format(p=_points(fan, middle)))
    parts += [
        Markup('<polyline class="line was" points="{p}"/>').format(p=_points(fan, run)) for run in _runs(fan.past)
    ]
    return parts


def _runs(past: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Stretches without a gap; a lone day becomes a short dash, or it would not be seen."""
    runs: list[list[tuple[int, float]]] = []
    for point in past:
        if runs and point[0] - runs[-1][-1][0] <= GAP_DAYS:
            runs[-1].append(point)
        else:
            runs.append([point])
    return [run if len(run) > 1 else [run[0], (run[0][0] + 1, run[0][1])] for run in runs]


def _unknown(fan: Fan) -> list[Markup]:
    """Hatching from the first sample on where there is none."""
    days = [day for day, _ in fan.past]
    edges = [*days, fan.today] if days else [fan.since, fan.today]
    return [
        Markup('<rect class="unknown" x="{x:.1f}" y="0" width="{w:.1f}" height="{h}" fill="url(#hatch-{k})"/>').format(
            x=_x(fan, a) * _WIDE, w=(_x(fan, b) - _x(fan, a)) * _WIDE, h=_PLOT, k=escape(fan.key)
        )
        for a, b in pairwise(edges)
        if b - a > GAP_DAYS
    ]


def _levels(fan: Fan) -> list[Markup]:
    parts = []
    for css, value in (("limit", fan.critical), ("limit trigger", fan.trigger)):
        y = _TOP + _y(fan, value)
        parts.append(Markup('<line class="{c}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>').format(c=css, y=y))
    y = _TOP + _y(fan, fan.critical) - 4
    parts.append(
        Markup('<text class="limit-text" x="2" y="{y:.1f}">critical {t}</text>').format(y=y, t=fan.critical_text)
    )
    return parts


def _uprights(fan: Fan) -> list[Markup]:
    """Today, and the day on which the lead time is over."""
    parts = [
        Markup('<line class="today" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/>').format(
            x=_x(fan, fan.today) * 100, a=_TOP, b=_TOP + _PLOT
        )
    ]
    if fan.lead_day <= fan.until:
        x = _x(fan, fan.lead_day) * 100
        end = x > 66
        parts.append(
            Markup(
                '<line class="lead" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="tick{e}" x="{x:.2f}%" dx="{d}" y="{y}">lead time over</text>'
            ).format(x=x, a=_TOP, b=_TOP + _PLOT, e=" end" if end else "", d=-4 if end else 4, y=_TOP + _PLOT - 5)
        )
    return parts


def _months(fan: Fan) -> list[Markup]:
    """The floor, and the first days of months."""
    parts = [Markup('<line class="grid floor" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=_TOP + _PLOT)]
    first = datetime.fromtimestamp(fan.since * DAY, UTC).replace(day=1)
    months = []
    while True:
        first = (first + timedelta(days=32)).replace(day=1)
        day = int(first.timestamp()) // DAY
        if day > fan.until:
            break
        months.append((day, first))
    every = -(-len(months) // 5)
    for n, (day, when) in enumerate(months):
        x = _x(fan, day) * 100
        if n % every or not 5 <= x <= 95:
            continue
        text = f"{when:%b %Y}" if when.month == 1 else f"{when:%b}"
        parts.append(
            Markup(
                '<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="tick mid" x="{x:.2f}%" y="{t}">{m}</text>'
            ).format(x=x, a=_TOP, b=_TOP + _PLOT, t=HEIGHT - 5, m=text)
        )
    return parts


def _points(fan: Fan, points: Sequence[tuple[int, float]]) -> str:
    return " ".join(f"{_x(fan, day) * _WIDE:.1f},{_y(fan, value):.1f}" for day, value in points)


def _x(fan: Fan, day: int) -> float:
    return min(max((day - fan.since) / (fan.until - fan.since), 0.0), 1.0)


def _y(fan: Fan, value: float) -> float:
    return _PLOT * (1 - min(max(value / fan.top, 0.0), 1.0))


def _date(day: int) -> str:
    when = datetime.fromtimestamp(day * DAY, UTC)
    return f"{when.day} {when:%b %Y}"
