"""A badge: what was achieved last month, as an SVG of a few hundred bytes. Pure."""

from typing import Final

from markupsafe import Markup

from fairlane.app.states import State

_COLOURS: Final = {State.OK: "#0b6b50", State.WATCH: "#7d5100", State.BURNING: "#a80f43", State.FROZEN: "#52606d"}
_WIDTH: Final = 6.6
"""Of a character at 11 px, generously: the text is stretched to fit anyway."""


def badge(label: str, value: str, state: State) -> str:
    """`label | value` in the state's colour, with both as its name for screen readers."""
    left, right = (round(len(text) * _WIDTH) + 12 for text in (label, value))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="20" role="img" aria-label="{a}: {b}"><title>{a}: {b}</title>'
            '<rect width="{w}" height="20" rx="3" fill="#3b4652"/><path d="M{l} 0h{r3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{l}z" fill="{c}"/>'
            '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="6" y="14" textLength="{tl}">{a}</text>'
            '<text x="{x}" y="14" textLength="{tr}">{b}</text></g></svg>\n'
        ).format(
            w=left + right,
            l=left,
            r3=right - 3,
            c=_COLOURS.get(state, _COLOURS[State.FROZEN]),
            a=label,
            b=value,
            x=left + 6,
            tl=left - 12,
            tr=right - 12,
        )
    )
