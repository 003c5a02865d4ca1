"""State is a word and a shape, then a colour: it can be read aloud, printed, and seen by the colour-blind."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """The six states of everything on a page. The value is the word, and the CSS class."""

    BURNING = "burning"
    FROZEN = "frozen"
    """No data: hatched, never green."""
    WATCH = "watch"
    RESTORING = "restoring"
    MOVED = "moved"
    OK = "ok"

    @property
    def shape(self) -> str:
        """The character that stands for it where a word has no room; hidden from screen readers, which get the word."""
        return _SHAPES[self]

    @property
    def trouble(self) -> int:
        """Its place in the order by trouble: 0 is worst."""
        return _ORDER[self]


_SHAPES: Final = {
    State.OK: "●",
    State.WATCH: "◐",
    State.BURNING: "▲",
    State.FROZEN: "◌",
    State.MOVED: "⇢",
    State.RESTORING: "⇠",
}
_ORDER: Final = {state: place for place, state in enumerate(State)}


def worst(states: Iterable[State]) -> State:
    """The one with most trouble; OK when there are none."""
    return min(states, key=lambda state: state.trouble, default=State.OK)
