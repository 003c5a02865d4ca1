"""The isolation benchmark's pictures, as SVG of their own: the same numbers give the same bytes. Pure."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from fairlane.bench.contest import Group
from fairlane.bench.score import Score
from fairlane.bench.score_words import percent
from isolator.simulate.run import Result

WIDTH: Final = 860
COLOURS: Final = {Group.OURS: "#1a7f37", Group.RIVAL: "#57606a", Group.ABLATION: "#8250df"}
LINES: Final = ("#1a7f37", "#d1242f", "#1f6feb", "#9a6700", "#8250df")
DOT: Final = 19.0
"""Room that a numbered dot needs."""
FLOOR: Final = 1e-6
"""What is drawn at the left edge of a logarithmic scale: nothing, or next to it."""


def bars(scores: Sequence[Score], title: str) -> str:
    """Innocents harmed in the worst culprit scenario by contender, logarithmic, with intervals."""
    left, row, top = 250, 24, 56
    height = top + row * len(scores) + 34
    parts = _head(
        height, title, "share of innocent records over the SLO or refused in the worst culprit scenario, logarithmic"
    )
    for power in range(-6, 1):
        x = _log(10.0**power, left)
        label = "0" if power == -6 else percent(10.0**power)
        parts.append(f'<path d="M{x:.1f} {top - 4}V{height - 28}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle" fill="#57606a">{label}</text>')
    for number, score in enumerate(scores):
        y = top + row * number
        end = _log(score.worst_harm, left)
        colour = COLOURS[score.group]
        weight = ' font-weight="600"' if score.group is Group.OURS else ""
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end"{weight}>{escape(score.name)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{max(end - left, 2):.1f}" height="14" fill="{colour}"/>')
        if score.worst is not None and score.worst.harmed.high > 0:
            low, high = _log(score.worst.harmed.low, left), _log(score.worst.harmed.high, left)
            parts.append(f'<path d="M{low:.1f} {y + 10}H{high:.1f}" stroke="#1f2328" stroke-width="2"/>')
    return _tail(parts)


def scatter(scores: Sequence[Score], title: str) -> str:
    """False moves in decoys against innocents harmed: the lower left corner is where one wants to be."""
    left, top, size = 90, 56, 380
    height = top + size + 56
    legend = left + size + 36
    parts = _head(
        height,
        title,
        "lower left is better: protects, and moves nobody for nothing; a dot is where it is, its number stands near",
    )
    parts.append(f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="none" stroke="#d0d7de"/>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + size * share
        parts.append(f'<text x="{x:.1f}" y="{top + size + 18}" text-anchor="middle" fill="#57606a">{share:.0%}</text>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + size * (1 - share)
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#57606a">{share:.0%}</text>')
        parts.append(f'<path d="M{left} {y:.1f}H{left + size}" stroke="#eaeef2"/>')
    parts.append(
        f'<text x="{left + size / 2:.0f}" y="{height - 12}" text-anchor="middle">innocents over the SLO or refused, worst culprit scenario</text>'
    )
    parts.append(
        f'<text x="20" y="{top + size / 2:.0f}" text-anchor="middle" transform="rotate(-90 20 {top + size / 2:.0f})">decoy runs with a false move</text>'
    )
    taken: list[tuple[float, float]] = []
    for number, score in enumerate(scores, 1):
        # in whole percents: the page tells no more
        dot_x, dot_y = left + size * round(score.worst_harm, 2), top + size * (1 - round(score.decoy_false.mean, 2))
        # numbers keep clear of each other, dots stay where they are
        x, y = dot_x + DOT / 2, dot_y - DOT
        while any(abs(x - other_x) < DOT and abs(y - other_y) < DOT for other_x, other_y in taken):
            y -= DOT
        taken.append((x, y))
        colour = COLOURS[score.group]
        parts.append(f'<path d="M{dot_x:.1f} {dot_y:.1f}L{x:.1f} {y:.1f}" stroke="{colour}" stroke-opacity="0.4"/>')
        parts.append(f'<circle cx="{dot_x:.1f}" cy="{dot_y:.1f}" r="4" fill="{colour}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="{colour}" font-size="11" stroke="#ffffff" stroke-width="3" paint-order="stroke">{number}</text>'
        )
        parts.append(
            f'<text x="{legend}" y="{top + 12 + 20 * (number - 1)}" fill="{colour}">{number}  {escape(score.name)}</text>'
        )
    return _tail(parts)


def delays(results: Sequence[Result], slo_s: float, title: str) -> str:
    """The oldest waiting record of general over time, one line a contender, up to four times the SLO."""
    left, top, wide, high = 70, 56, 560, 260
    height = top + high + 50
    begin = min(r.begin_s for r in results) - 30
    end = max(r.calm_s for r in results) + 120
    most = 4 * slo_s
    parts = _head(height, title, "oldest record that waits in the general lane, s; cut off at four times the SLO")
    parts.append(f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" fill="none" stroke="#d0d7de"/>')
    for step in range(5):
        y = top + high * (1 - step / 4)
        parts.append(
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#57606a">{most * step / 4:.0f}</text>'
        )
    for result in results[:1]:
        for at_s, label in ((result.begin_s, "begins"), (result.calm_s, "calm")):
            x = left + wide * (at_s - begin) / (end - begin)
            parts.append(f'<path d="M{x:.1f} {top}V{top + high}" stroke="#8c959f" stroke-dasharray="3 3"/>')
            parts.append(f'<text x="{x:.1f}" y="{top + high + 18}" text-anchor="middle" fill="#57606a">{label}</text>')
    y = top + high * (1 - slo_s / most)
    parts.append(f'<path d="M{left} {y:.1f}H{left + wide}" stroke="#d1242f" stroke-dasharray="6 4"/>')
    parts.append(f'<text x="{left + 6}" y="{y - 5:.1f}" fill="#d1242f">SLO</text>')
    # ours, the first, is drawn over the others
    for number, result in reversed(list(enumerate(results))):
        points = " ".join(
            f"{left + wide * (s.at_s - begin) / (end - begin):.1f},{top + high * (1 - min(s.delay_s, most) / most):.1f}"
            for s in result.series
            if begin <= s.at_s <= end
        )
        colour = LINES[number % len(LINES)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{left + wide + 16}" y="{top + 14 + 20 * number}" fill="{colour}">{escape(result.contender)}</text>'
        )
    return _tail(parts)


def _log(share: float, left: float, wide: float = WIDTH - 300) -> float:
    return left + wide * (math.log10(max(share, FLOOR)) - math.log10(FLOOR)) / -math.log10(FLOOR)


def _head(height: int, title: str, under: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="22" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<text x="16" y="40" fill="#57606a">{escape(under)}</text>',
    ]


def _tail(parts: list[str]) -> str:
    return "\n".join([*parts, "</svg>"]) + "\n"
