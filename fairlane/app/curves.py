"""Pictures over any stretch of time as SVG text: what was recorded as lines, what was not as hatching, moments as labelled uprights. Pure.

Built like `charts`: no view box outside, so that text keeps its size; curves in a stretched SVG inside; no style attributes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup, escape

from fairlane.app import words
from fairlane.app.charts import hatch, tick
from fairlane.app.docket import Points

HEIGHT: Final = 202
_TOP, _BOTTOM = 46, 24
_PLOT: Final = HEIGHT - _TOP - _BOTTOM
_WIDE: Final = 1000.0
ROWS: Final = 3
"""Rows of names above the plot."""
LETTER: Final = 0.021
"""Share of the narrowest picture's width that a letter of a name takes."""
MOST_POINTS: Final = 600
CLOSE_MS: Final = 13_000
"""Points this close were recorded tick by tick and are joined by a line ..."""
FAR_MS: Final = 75_000
"""... up to this far once a minute, and are joined by a dotted one; beyond it nothing is known."""
_TICKS_S: Final = (30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200)
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0)


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: points by Unix ms; `now` is its newest value in words."""

    name: str
    css: str
    points: Points
    now: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: an upright with its name."""

    at_ms: int
    name: str
    css: str = "moment"


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart from `since_ms` to `until_ms`."""

    key: str
    title: str
    question: str
    lines: tuple[Line, ...]
    since_ms: int
    until_ms: int
    top: float
    """Value at the upper edge; what is higher leaves the picture."""
    step: float
    """Between lines of the grid; `top` is a multiple of it."""
    limit: float | None = None
    limit_name: str = ""
    moments: tuple[Moment, ...] = ()
    note: str = ""
    """Where the numbers come from and what they leave out."""
    empty: str = ""
    """Why there is nothing to draw; empty when there is."""
    seconds: bool = True
    """The values are durations; else plain numbers."""


def plain_scale(value: float) -> tuple[float, float]:
    """(top, step) for plain numbers: the least round step, 1, 2, 2.5 or 5 times a power of ten, of which at most four lines reach `value`.

    >>> [plain_scale(v) for v in (0.0, 0.37, 1.0, 2.4, 230.0)]
    [(1.0, 0.25), (0.4, 0.1), (1.0, 0.25), (3.0, 1.0), (300.0, 100.0)]
    """
    if value <= 0:
        return 1.0, 0.25
    size = 10.0 ** (math.floor(math.log10(value)) - 1)
    step = next(round(size * one, 9) for one in _STEPS if size * one * 4 >= value * (1 - 1e-9))
    return round(math.ceil(value / step - 1e-9) * step, 9), step


def thinned(points: Points, most: int = MOST_POINTS) -> Points:
    """At most about `most` points: of each stretch the highest, at its own time, so that a peak is never lost."""
    if len(points) <= most:
        return points
    step = -(-len(points) // most)
    return tuple(max(points[i : i + step], key=lambda point: point[1]) for i in range(0, len(points), step))


def draw(picture: Picture) -> Markup:
    """The picture, with everything it says in its label too."""
    said = "; ".join(f"{line.name}: {line.now}" for line in picture.lines)
    events = "; ".join(f"{moment.name} at {words.clock(moment.at_ms / 1000)}" for moment in picture.moments)
    label = ". ".join(part for part in (picture.title, picture.empty, said, events) if part)
    parts = [
        Markup('<svg class="chart picture" height="{h}" width="100%" role="img" aria-label="{label}">').format(
            h=HEIGHT, label=label
        ),
        hatch(f"hatch-{picture.key}"),
        *_grid(picture),
        Markup(
            '<svg x="0" y="{y}" width="100%" height="{h}" viewBox="0 0 {w:.0f} {h}" preserveAspectRatio="none">'
        ).format(y=_TOP, h=_PLOT, w=_WIDE),
        *_unknown(picture),
    ]
    for line in picture.lines:
        parts += _curve(picture, line)
    parts.append(Markup("</svg>"))
    parts += _limit(picture)
    parts += _moments(picture)
    if picture.empty:
        parts.append(
            Markup('<text class="nothing mid" x="50%" y="{y}">{t}</text>').format(y=_TOP + _PLOT // 2, t=picture.empty)
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _x(picture: Picture, at_ms: int) -> float:
    """0 to 1."""
    span = max(picture.until_ms - picture.since_ms, 1)
    return min(max((at_ms - picture.since_ms) / span, 0.0), 1.0)


def _y(picture: Picture, value: float) -> float:
    return _PLOT * (1 - value / picture.top)


def _grid(picture: Picture) -> list[Markup]:
    parts: list[Markup] = []
    for place in range(1, round(picture.top / picture.step) + 1):
        value = picture.step * place
        y = _TOP + _y(picture, value)
        near = picture.limit is not None and abs(y - _TOP - _y(picture, picture.limit)) < 14
        parts.append(Markup('<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>').format(y=y))
        if not near:
            text = tick(value, picture.top) if picture.seconds else words.digits(value)
            parts.append(Markup('<text class="tick" x="2" y="{y:.1f}">{t}</text>').format(y=y - 4, t=text))
    parts.append(Markup('<line class="grid floor" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=_TOP + _PLOT))
    span_s = (picture.until_ms - picture.since_ms) / 1000
    step_s = next((step for step in _TICKS_S if span_s / step <= 5), 86_400)
    first = -(-picture.since_ms // (step_s * 1000)) * step_s * 1000
    for at in range(first, picture.until_ms + 1, step_s * 1000):
        x = _x(picture, at) * 100
        # the seconds are said where the steps are shorter than a minute
        clock = words.clock(at / 1000).removesuffix(" UTC")
        if not 6 <= x <= 94:
            continue
        parts.append(
            Markup(
                '<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="tick mid" x="{x:.2f}%" y="{t}">{c}</text>'
            ).format(x=x, a=_TOP, b=_TOP + _PLOT, t=HEIGHT - 6, c=clock if step_s < 60 else clock[:5])
        )
    return parts


def _unknown(picture: Picture) -> list[Markup]:
    """Hatched boxes where no line has a point within FAR_MS."""
    known = sorted({at for line in picture.lines for at, _ in line.points})
    inside = [at for at in known if picture.since_ms <= at <= picture.until_ms]
    edges = [picture.since_ms, *inside, picture.until_ms]
    boxes = []
    for place, (a, b) in enumerate(pairwise(edges)):
        edge = place in {0, len(edges) - 2}
        if b - a > (CLOSE_MS if edge and not (a in inside and b - a <= FAR_MS) else FAR_MS):
            boxes.append((_x(picture, a) * _WIDE, _x(picture, b) * _WIDE))
    return [
        Markup('<rect class="unknown" x="{x:.1f}" y="0" width="{w:.1f}" height="{h}" fill="url(#hatch-{k})"/>').format(
            x=a, w=b - a, h=_PLOT, k=escape(picture.key)
        )
        for a, b in boxes
    ]


def _curve(picture: Picture, line: Line) -> list[Markup]:
    """Solid where it was recorded tick by tick, dotted where once a minute, nothing where it was not."""
    points = thinned(tuple(p for p in line.points if picture.since_ms <= p[0] <= picture.until_ms))
    # thinning must not make close points look far apart
    stretch = max(-(-len(line.points) // MOST_POINTS), 1) * 2 if len(line.points) > MOST_POINTS else 1
    parts: list[Markup] = []
    run: list[tuple[int, float]] = []
    for point in points:
        gap = point[0] - run[-1][0] if run else 0
        if run and gap > CLOSE_MS * stretch:
            parts.append(_polyline(picture, line.css, run))
            if gap <= FAR_MS * stretch:
                parts.append(_polyline(picture, f"{line.css} sparse", [run[-1], point]))
            run = []
        run.append(point)
    if run:
        parts.append(_polyline(picture, line.css, run))
    return parts


def _polyline(picture: Picture, css: str, run: Sequence[tuple[int, float]]) -> Markup:
    places = [(_x(picture, at) * _WIDE, _y(picture, value)) for at, value in run]
    if len(places) == 1:
        # a lone point becomes a short dash, or it would not be seen
        places.append((places[0][0] + 3, places[0][1]))
    return Markup('<polyline class="line {c}" points="{p}"/>').format(
        c=css, p=" ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    )


def _limit(picture: Picture) -> list[Markup]:
    if picture.limit is None or picture.limit > picture.top:
        return []
    y = _TOP + _y(picture, picture.limit)
    return [
        Markup(
            '<line class="limit" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/><text class="limit-text end" x="100%" dx="-2" y="{t:.1f}">{n}</text>'
        ).format(y=y, t=y - 5, n=picture.limit_name)
    ]


def _moments(picture: Picture) -> list[Markup]:
    parts: list[Markup] = []
    free = [0.0] * ROWS
    for moment in sorted(picture.moments, key=lambda one: one.at_ms):
        if not picture.since_ms <= moment.at_ms <= picture.until_ms:
            continue
        x = _x(picture, moment.at_ms)
        width = LETTER * (len(moment.name) + 1)
        end = x > 0.72
        start = x - width if end else x
        # the first row of names with room for it, else the one that is free soonest
        row = next((n for n in range(ROWS) if free[n] <= start), free.index(min(free)))
        free[row] = start + width
        parts.append(
            Markup(
                '<line class="{c}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="moment-name{e}" x="{x:.2f}%" dx="{d}" y="{y}">{n}<title>{t}</title></text>'
            ).format(
                c=moment.css,
                x=x * 100,
                a=_TOP - 12 * (ROWS - row) + 2,
                b=_TOP + _PLOT,
                e=" end" if end else "",
                d=-4 if end else 4,
                y=12 + row * 12,
                n=moment.name,
                t=words.utc(moment.at_ms / 1000),
            )
        )
    return parts
