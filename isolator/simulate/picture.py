"""One run as an SVG: work, delay and who is away, over time, with the moves marked. No dependency; the same run gives the same bytes."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from isolator.simulate.events import Event
from isolator.simulate.run import Result

WIDTH, LEFT, RIGHT = 960, 62, 16
PANEL, GAP, TOP = 150, 34, 48
COLOURS: Final = ("#1f6feb", "#d1242f", "#8250df", "#57606a")
TICKS: Final = 4


def svg(result: Result, slo_s: float) -> str:
    """The picture of one run."""
    series = result.series
    title = f"{result.scenario}, seed {result.seed}, {result.contender}"
    end = max([s.at_s for s in series], default=1.0)
    panels: list[tuple[str, list[tuple[str, str, list[float]]], float | None]] = [
        (
            "work / capacity",
            [
                ("demand", COLOURS[0], [s.demand for s in series]),
                ("busiest slot", COLOURS[3], [s.busiest for s in series]),
            ],
            1.0,
        ),
        (
            "oldest record, s",
            [
                ("general", COLOURS[0], [s.delay_s for s in series]),
                ("side lanes", COLOURS[3], [s.side_delay_s for s in series]),
            ],
            slo_s,
        ),
        (
            "away: tokens, % of events",
            [
                ("tokens", COLOURS[2], [float(s.moved) for s in series]),
                ("% of events", COLOURS[3], [100 * s.moved_share for s in series]),
            ],
            None,
        ),
    ]
    height = TOP + len(panels) * (PANEL + GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    times = [s.at_s for s in series]

    def across(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / max(end, 1e-9)

    for number, (label, lines, limit) in enumerate(panels):
        base = TOP + number * (PANEL + GAP)
        parts += _panel(label, lines, limit, base, times, across)
        parts += _span(result, base, across)
        parts += _marks(result.events, base, across)
    parts += _axis(end, TOP + len(panels) * (PANEL + GAP) - GAP + 16, across)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    label: str,
    lines: Sequence[tuple[str, str, list[float]]],
    limit: float | None,
    base: float,
    times: Sequence[float],
    across: Callable[[float], float],
) -> list[str]:
    most = max([v for _, _, values in lines for v in values] + [1e-9]) * 1.05
    if limit is not None and limit < 20 * most:
        most = max(most, limit * 1.1)

    def up(value: float) -> float:
        return base + PANEL - PANEL * min(value / most, 1.0)

    parts = [f'<text x="{LEFT}" y="{base - 6:.1f}" font-weight="600">{escape(label)}</text>']
    for n, (name, colour, _) in enumerate(lines):
        parts.append(f'<text x="{LEFT + 240 + 110 * n}" y="{base - 6:.1f}" fill="{colour}">{escape(name)}</text>')
    for n in range(TICKS + 1):
        value = most * n / TICKS
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}" stroke="#d8dee4" stroke-width="1"/>'
            f'<text x="{LEFT - 6}" y="{up(value) + 4:.1f}" text-anchor="end" fill="#57606a">{value:.3g}</text>'
        )
    if limit is not None and limit <= most:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(limit):.1f}" y2="{up(limit):.1f}" stroke="{COLOURS[1]}" stroke-dasharray="5 4"/>'
        )
    for _, colour, values in lines:
        points = " ".join(f"{across(t):.1f},{up(v):.1f}" for t, v in zip(times, values, strict=True))
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>')
    return parts


def _span(result: Result, base: float, across: Callable[[float], float]) -> list[str]:
    first, last = across(result.begin_s), across(min(result.calm_s, result.end_s))
    return [
        f'<rect x="{first:.1f}" y="{base:.1f}" width="{max(last - first, 1):.1f}" height="{PANEL}" fill="#bf8700" fill-opacity="0.10"/>'
    ]


def _marks(events: Sequence[Event], base: float, across: Callable[[float], float]) -> list[str]:
    parts = []
    for event in events:
        colour = COLOURS[1] if event.away else "#1a7f37"
        what = escape(f"{event.kind} {event.name} {event.lane}".strip() + f" at {event.at_s:.0f} s")
        parts.append(
            f'<line x1="{across(event.at_s):.1f}" x2="{across(event.at_s):.1f}" y1="{base:.1f}" y2="{base + PANEL:.1f}" stroke="{colour}" '
            f'stroke-width="1"><title>{what}</title></line>'
        )
    return parts


def _axis(end: float, base: float, across: Callable[[float], float]) -> list[str]:
    step = next((s for s in (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200) if end / s <= 12), 86_400)
    return [
        f'<text x="{across(at):.1f}" y="{base:.1f}" text-anchor="middle" fill="#57606a">{at} s</text>'
        for at in range(0, int(end) + 1, step)
    ]
