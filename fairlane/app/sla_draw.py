"""The SLA page's pictures as SVG text: a month of days, and twelve months. Pure; positions are per cents, so that nothing is stretched, and no style attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from fairlane.app.charts import hatch

HEIGHT: Final = 26
_FLOOR: Final = HEIGHT - 1
_ROOM: Final = HEIGHT - 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A day or a month. `level` is its CSS class; `fill` (0 to 1) is the height of its bar; `text` says the same in words."""

    name: str
    level: str
    fill: float
    text: str


def heat(key: str, label: str, cells: Sequence[Cell]) -> Markup:
    """A month: one cell a day; the bar in it is the share of the month's budget that the day spent."""
    return _cells(key, "heat", label, cells)


def trend(key: str, label: str, cells: Sequence[Cell], limit: float) -> Markup:
    """Months as bars of spent budget; the dashed line at `limit` (0 to 1 of the height) is the whole budget."""
    y = _px(_FLOOR - limit * _ROOM)
    line = Markup('<line class="limit" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=y)
    return _cells(key, "trend", label, cells, line)


def axis(days: int) -> Markup:
    """Day numbers above the cells."""
    parts = [
        Markup('<text class="tick mid" x="{x:.2f}%" y="11">{d}</text>').format(x=(d - 0.5) * 100 / days, d=d)
        for d in (1, 8, 15, 22, days)
        if d == days or days - d > 3
    ]
    return Markup('<svg class="heat-axis" width="100%" height="14" aria-hidden="true">{p}</svg>').format(
        p=Markup("").join(parts)
    )


def _cells(key: str, css: str, label: str, cells: Sequence[Cell], over: str = "") -> Markup:
    step = 100 / max(len(cells), 1)
    hatched = any(cell.level in {"nodata", "partial"} for cell in cells)
    parts = [hatch(f"hatch-{key}")] if hatched else []
    for place, cell in enumerate(cells):
        x, width = place * step + step * 0.07, step * 0.86
        parts.append(
            Markup(
                '<g class="{c}"><title>{t}</title><rect class="cell" x="{x:.3f}%" y="1" width="{w:.3f}%" height="{h}" rx="2"/>'
            ).format(c=cell.level, t=cell.text, x=x, w=width, h=HEIGHT - 2)
        )
        if cell.level in {"nodata", "partial"}:
            parts.append(
                Markup('<rect x="{x:.3f}%" y="1" width="{w:.3f}%" height="{h}" fill="url(#hatch-{k})"/>').format(
                    x=x, w=width, h=HEIGHT - 2, k=key
                )
            )
        if cell.fill > 0:
            tall = max(min(cell.fill, 1.0) * _ROOM, 2.0)
            parts.append(
                Markup('<rect class="part" x="{x:.3f}%" y="{y}" width="{w:.3f}%" height="{h}"/>').format(
                    x=x, y=_px(_FLOOR - tall), w=width, h=_px(tall)
                )
            )
        parts.append(Markup("</g>"))
    return Markup('<svg class="{c}" width="100%" height="{h}" role="img" aria-label="{l}">{p}{o}</svg>').format(
        c=css, h=HEIGHT, l=label, p=Markup("").join(parts), o=over
    )


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
