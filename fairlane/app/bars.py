"""Counts over time as bars of SVG text: a bar a step, hatched where nothing is known, a dot of a bar where nothing was due. Pure.

Built like `charts`: text keeps its size, the bars live in a stretched SVG inside; no style attributes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from markupsafe import Markup

from fairlane.app import words
from fairlane.app.charts import hatch
from fairlane.app.curves import Moment

HEIGHT: Final = 150
_TOP, _BOTTOM = 30, 24
_PLOT: Final = HEIGHT - _TOP - _BOTTOM
_WIDE: Final = 1000.0
_FLOOR: Final = 1.5
"""Height of a bar that stands for something very small."""
_TICKS_S: Final = (3_600, 2 * 3_600, 6 * 3_600, 86_400, 5 * 86_400, 10 * 86_400, 30 * 86_400)


@dataclass(frozen=True, slots=True)
class Bar:
    """A step that begins at `at_s` (Unix seconds). `value` is None where nothing is known; `css` says what it means."""

    at_s: int
    value: float | None
    css: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of `step_s` seconds from `since_s` to `until_s`; `top` is the value of a full bar. `label` says all of it in words."""

    key: str
    title: str
    question: str
    label: str
    since_s: int
    until_s: int
    step_s: int
    top: float
    top_text: str
    bars: tuple[Bar, ...]
    moments: tuple[Moment, ...] = ()
    empty: str = ""


def draw_bars(picture: Bars) -> Markup:
    """The picture."""
    parts = [
        Markup('<svg class="chart bars" height="{h}" width="100%" role="img" aria-label="{label}">').format(
            h=HEIGHT, label=f"{picture.title}. {picture.label}"
        ),
        hatch(f"hatch-{picture.key}"),
        Markup(
            '<line class="grid" x1="0" x2="100%" y1="{t}" y2="{t}"/><text class="tick" x="2" y="{y}">{text}</text>'
        ).format(t=_TOP, y=_TOP - 4, text=picture.top_text),
        *_clock(picture),
        Markup(
            '<svg x="0" y="{y}" width="100%" height="{h}" viewBox="0 0 {w:.0f} {h}" preserveAspectRatio="none">'
        ).format(y=_TOP, h=_PLOT, w=_WIDE),
        *_unknown(picture),
    ]
    for css, some in groupby(sorted(picture.bars, key=lambda bar: (bar.css, bar.at_s)), key=lambda bar: bar.css):
        # one path for all bars of a kind: a month of hours is 720 of them
        path = "".join(_path(picture, bar) for bar in some if bar.value is not None)
        if path:
            parts.append(Markup('<path class="bar {c}" d="{p}"/>').format(c=css, p=path))
    parts.append(Markup("</svg>"))
    parts.append(Markup('<line class="grid floor" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=_TOP + _PLOT))
    parts += [_moment(picture, one) for one in picture.moments if picture.since_s * 1000 <= one.at_ms]
    if picture.empty:
        parts.append(
            Markup('<text class="nothing mid" x="50%" y="{y}">{t}</text>').format(y=_TOP + _PLOT // 2, t=picture.empty)
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _x(picture: Bars, at_s: float) -> float:
    """0 to 1."""
    return min(max((at_s - picture.since_s) / max(picture.until_s - picture.since_s, 1), 0.0), 1.0)


def _path(picture: Bars, bar: Bar) -> str:
    left, right = _x(picture, bar.at_s) * _WIDE, _x(picture, bar.at_s + picture.step_s) * _WIDE
    value = min(max(bar.value or 0.0, 0.0), picture.top)
    tall = max(value / picture.top * _PLOT if picture.top else 0.0, _FLOOR)
    return f"M{left:.2f},{_PLOT}V{_PLOT - tall:.1f}H{max(right, left + 0.4):.2f}V{_PLOT}Z"


def _unknown(picture: Bars) -> list[Markup]:
    known = {bar.at_s for bar in picture.bars if bar.value is not None}
    first = -(-picture.since_s // picture.step_s) * picture.step_s
    steps = range(first, picture.until_s - picture.step_s + 1, picture.step_s)
    parts = []
    for unknown, some in groupby(steps, key=lambda at: at not in known):
        if unknown:
            run = list(some)
            left, right = _x(picture, run[0]) * _WIDE, _x(picture, run[-1] + picture.step_s) * _WIDE
            parts.append(
                Markup(
                    '<rect class="unknown" x="{x:.1f}" y="0" width="{w:.1f}" height="{h}" fill="url(#hatch-{k})"/>'
                ).format(x=left, w=right - left, h=_PLOT, k=picture.key)
            )
    return parts


def _clock(picture: Bars) -> list[Markup]:
    span = picture.until_s - picture.since_s
    step = next((one for one in _TICKS_S if span / one <= 6), _TICKS_S[-1])
    parts = []
    for at in range(-(-picture.since_s // step) * step, picture.until_s, step):
        x = _x(picture, at) * 100
        if not 3 <= x <= 95:
            continue
        moment = datetime.fromtimestamp(at, UTC)
        text = moment.strftime("%H:%M") if span <= 2 * 86_400 else f"{moment.day} {moment:%b}"
        parts.append(
            Markup(
                '<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="tick mid" x="{x:.2f}%" y="{t}">{text}</text>'
            ).format(x=x, a=_TOP, b=_TOP + _PLOT, t=HEIGHT - 6, text=text)
        )
    return parts


def _moment(picture: Bars, moment: Moment) -> Markup:
    x = _x(picture, moment.at_ms / 1000)
    end = x > 0.7
    return Markup(
        '<line class="{c}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/><text class="moment-name{e}" x="{x:.2f}%" dx="{d}" y="12">{n}<title>{t}</title></text>'
    ).format(
        c=moment.css,
        x=x * 100,
        a=16,
        b=_TOP + _PLOT,
        e=" end" if end else "",
        d=-4 if end else 4,
        n=moment.name,
        t=words.utc(moment.at_ms / 1000),
    )
