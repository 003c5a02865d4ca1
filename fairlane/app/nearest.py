"""What to say of a token of which nothing is known: the names that come nearest. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

MOST: Final = 20_000
"""Names that are compared closely; of more, those that begin alike."""


def nearest(token: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """At most `count` of `known` that come nearest to `token`, the nearest first.

    >>> nearest("phc_ab12", ["phc_ab13", "other"]), nearest("acme", [])
    (('phc_ab13',), ())
    """
    names = sorted(set(known))
    if len(names) > MOST:
        names = _alike(token, names)
    inside = [name for name in names if len(token) >= 4 and token in name]
    close = get_close_matches(token, names, count, 0.6)
    return tuple(dict.fromkeys([*inside, *close]))[:count]


def unknown(token: str, known: Iterable[str], told: Iterable[str] = ()) -> str:
    """The sentence about a token that nothing is known of: `known` have a baseline, of `told` something was decided."""
    names = set(known)
    close = nearest(token, names | set(told))
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return (
        f"nothing is known of the token {token}: no route, no mark, no verdict, and it is not among the {len(names):,} tokens with a baseline"
        f" (a new one is there a minute after its first events).{hint}"
    )


def _alike(token: str, names: list[str]) -> list[str]:
    """The names with the longest common beginning, MOST at most."""
    for length in range(len(token), 0, -1):
        found = [name for name in names if name.startswith(token[:length])]
        if found:
            return found[:MOST]
    return names[:MOST]
