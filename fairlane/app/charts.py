"""Charts as SVG text, drawn on the server. Pure.

The outer SVG has no view box: text keeps its size at every width and sits at per cents; the curves live in a nested SVG that is stretched
(`preserveAspectRatio="none"`) with strokes that do not scale. No style attributes, so that the page's content policy can forbid them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from markupsafe import Markup, escape

from fairlane.app import words
from fairlane.app.states import State
from fairlane.app.view import HISTORY_S, Chart, PartitionRow, Series

HEIGHT: Final = 148
_TOP, _BOTTOM = 10, 24
_PLOT: Final = HEIGHT - _TOP - _BOTTOM
STRIP_HEIGHT: Final = 84
_WIDE: Final = 1000.0
CALM_LAG: Final = 1_000
"""The strip's top stands for at least this many records."""


def timeline(chart: Chart) -> Markup:
    """The last 15 minutes of `chart`: hatched where nothing is known, the SLO as a labelled dashed line, what is beyond it shaded."""
    label = "; ".join(
        [f"{line.name} now {line.now.text}" for line in chart.series]
        + [f"{text} {words.ago(age)}" for age, text in chart.changes]
    )
    parts = [
        Markup('<svg class="chart" height="{h}" width="100%" role="img" aria-label="{label}">').format(
            h=HEIGHT, label=f"{chart.title}, last 15 minutes: {label}; SLO {words.seconds(chart.limit_s)}"
        ),
        hatch(f"hatch-{chart.key}"),
    ]
    limit_y = _y(chart.limit_s, chart.top_s)
    for value in _ticks(chart):
        y = _y(value, chart.top_s)
        parts.append(Markup('<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=_px(y)))
        if abs(y - limit_y) > 16 and value > 0:
            parts.append(
                Markup('<text class="tick" x="2" y="{y}">{t}</text>').format(y=_px(y - 4), t=tick(value, chart.top_s))
            )
    for minutes in (10, 5):
        x = _px((1 - minutes * 60 / HISTORY_S) * 100)
        parts.append(
            Markup(
                '<line class="grid" x1="{x}%" x2="{x}%" y1="{a}" y2="{b}"/><text class="tick mid" x="{x}%" y="{t}">{m} min ago</text>'
            ).format(x=x, a=_TOP, b=_TOP + _PLOT, t=HEIGHT - 6, m=minutes)
        )
    parts.append(
        Markup(
            '<text class="tick" x="2" y="{t}">15 min ago</text><text class="tick end" x="100%" dx="-2" y="{t}">now</text>'
        ).format(t=HEIGHT - 6)
    )
    parts.append(
        Markup(
            '<svg x="0" y="{y}" width="100%" height="{h}" viewBox="0 0 {w:.0f} {h}" preserveAspectRatio="none">'
        ).format(y=_TOP, h=_PLOT, w=_WIDE)
    )
    parts.extend(_unknown(chart))
    beyond = limit_y - _TOP
    parts.append(
        Markup('<clipPath id="over-{k}"><rect x="0" y="0" width="{w:.0f}" height="{h}"/></clipPath>').format(
            k=chart.key, w=_WIDE, h=_px(max(beyond, 0))
        )
    )
    for line in chart.series:
        for run in _runs(line):
            path = " ".join(f"{x:.1f},{_y(value, chart.top_s) - _TOP:.1f}" for x, value in run)
            area = f"{run[0][0]:.1f},{_px(beyond)} {path} {run[-1][0]:.1f},{_px(beyond)}"
            parts.append(
                Markup('<polygon class="over" clip-path="url(#over-{k})" points="{p}"/>').format(k=chart.key, p=area)
            )
            parts.append(Markup('<polyline class="line {c}" points="{p}"/>').format(c=line.css, p=path))
    parts.append(Markup("</svg>"))
    parts.append(
        Markup(
            '<line class="limit" x1="0" x2="100%" y1="{y}" y2="{y}"/><text class="limit-text end" x="100%" dx="-2" y="{t}">SLO {s}</text>'
        ).format(y=_px(limit_y), t=_px(limit_y - 5), s=words.seconds(chart.limit_s))
    )
    parts.extend(_deploys(chart))
    if chart.empty:
        parts.append(
            Markup('<text class="nothing mid" x="50%" y="{y}">{t}</text>').format(y=_TOP + _PLOT // 2, t=chart.empty)
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def strip(rows: Sequence[PartitionRow]) -> Markup:
    """Lag per partition as bars (root scale, so that a few records beside a million still show); each is a link to its row."""
    highest = max(rows, key=lambda row: row.lag.value or 0, default=None)
    # never finer than this: a hundred records of lag must not look like a mountain
    top = max((highest.lag.value if highest else 0) or 0, CALM_LAG)
    step = 100 / max(len(rows), 1)
    parts = [
        Markup('<svg class="strip" height="{h}" width="100%" role="group" aria-label="Lag per partition">').format(
            h=STRIP_HEIGHT
        ),
        hatch("hatch-strip"),
    ]
    floor, room = STRIP_HEIGHT - 16, STRIP_HEIGHT - 16 - 14
    for place, row in enumerate(rows):
        x, width = place * step, step * 0.84
        value = row.lag.value
        tall = room if value is None else max((value / top) ** 0.5 * room, 2)
        css = State.FROZEN.value if value is None else row.state.value
        words_ = f"partition {row.partition}: {row.state.value}, lag {row.lag.text}, oldest {row.oldest.text}{', ' + row.stuck if row.stuck else ''}"
        parts.append(
            Markup(
                '<a href="#p-{p}" aria-label="{w}"><title>{w}</title><rect class="hit" x="{x:.3f}%" y="0" width="{full:.3f}%" height="{h}"/>'
                '<rect class="bar {c}" x="{x:.3f}%" y="{y}" width="{width:.3f}%" height="{tall}" rx="1.5"/>'
            ).format(
                p=row.partition,
                w=words_,
                x=x,
                full=step,
                h=STRIP_HEIGHT,
                c=css,
                y=_px(floor - tall),
                width=width,
                tall=_px(tall),
            )
        )
        if row is highest and value:
            parts.append(
                Markup('<text class="peak mid" x="{x:.3f}%" y="{y}">{t}</text>').format(
                    x=x + width / 2, y=_px(floor - tall - 4), t=row.lag.text
                )
            )
        if len(rows) <= 24 or place % (len(rows) // 12) == 0:
            parts.append(
                Markup('<text class="tick mid" x="{x:.3f}%" y="{y}">{p}</text>').format(
                    x=x + width / 2, y=STRIP_HEIGHT - 3, p=row.partition
                )
            )
        parts.append(Markup("</a>"))
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def fill(share: float | None) -> Markup:
    """How busy a lane is, as a bar along the card's foot."""
    if share is None:
        return Markup(
            '<svg class="fill" width="100%" height="6" aria-hidden="true">{h}<rect width="100%" height="6" fill="url(#hatch-fill)"/></svg>'
        ).format(h=hatch("hatch-fill"))
    css = "full" if share > 0.9 else "part"
    return Markup(
        '<svg class="fill" width="100%" height="6" aria-hidden="true"><rect class="back" width="100%" height="6"/><rect class="{c}" width="{w}%" height="6"/></svg>'
    ).format(c=css, w=_px(min(max(share, 0.0), 1.0) * 100))


def _y(value: float, top: float) -> float:
    return _TOP + _PLOT * (1 - min(value / top, 1.0))


def _x(age_s: float) -> float:
    return _WIDE * (1 - age_s / HISTORY_S)


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _ticks(chart: Chart) -> list[float]:
    return [chart.step_s * place for place in range(round(chart.top_s / chart.step_s) + 1)]


def tick(value: float, top: float) -> str:
    """All labels of an axis in one unit."""
    size, unit = next(
        ((size, unit) for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")) if top >= 2 * size), (1.0, "s")
    )
    return f"{words.digits(value / size)} {unit}"


def _deploys(chart: Chart) -> list[Markup]:
    """A dotted upright with its name for each change."""
    parts = []
    for age, text in chart.changes:
        x = (1 - age / HISTORY_S) * 100
        end = x > 60
        parts.append(
            Markup(
                '<line class="moment deploy" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="moment-name{e}" x="{x:.2f}%" dx="{d}" y="{a}" dy="10">{t}</text>'
            ).format(x=x, a=_TOP, b=_TOP + _PLOT, e=" end" if end else "", d=-4 if end else 4, t=text)
        )
    return parts


def _runs(line: Series) -> list[list[tuple[float, float]]]:
    """The stretches without a gap. A lone point becomes a short dash, or it would not be seen."""
    runs: list[list[tuple[float, float]]] = [[]]
    for age, value in line.points:
        if value is None:
            runs.append([])
        else:
            runs[-1].append((_x(age), value))
    return [run if len(run) > 1 else [run[0], (run[0][0] + 2, run[0][1])] for run in runs if run]


def _unknown(chart: Chart) -> list[Markup]:
    """Hatched boxes where neither line is known, from the first point on and before it."""
    known = sorted({_x(age) for line in chart.series for age, value in line.points if value is not None})
    edges = [0.0, *known, _WIDE]
    # 12 s of silence is a gap; at the edges and between points alike
    wide = _WIDE * 13 / HISTORY_S
    box = Markup('<rect class="unknown" x="{x}" y="0" width="{w}" height="{h}" fill="url(#hatch-{k})"/>')
    return [box.format(x=_px(a), w=_px(b - a), h=_PLOT, k=chart.key) for a, b in pairwise(edges) if b - a > wide]


def hatch(name: str) -> Markup:
    """The pattern that stands for "no data", under this id."""
    return Markup(
        '<defs><pattern id="{n}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>'
    ).format(n=escape(name))
