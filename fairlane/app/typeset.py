"""Where lines may break: not inside a shortened token, between a number and its unit, inside a date, a moment or a ticket's number. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup

_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_WHOLE: Final = re.compile(
    rf"""\S*…\S*
    | \d{{1,2}}[ ](?:{_MONTHS})\b(?:[ ]\d{{4}})?
    | (?:\d{{4}}-\d\d-\d\d[ ])?\d\d:\d\d(?::\d\d)?[ ]UTC
    | [<−+]?\d[\d.,]*[kMG]?[ ](?:ms|s|min|h|d|days?|%|[kMGTP]?B)(?!\w)
    | \b\d+-day\b
    | \b[A-Z]{{2,}}-\d+\b""",
    re.VERBOSE,
)


def unbroken(text: str) -> Markup:
    """The text as HTML, with what belongs together kept on one line.

    >>> str(unbroken("30 s are <promised> to phc_ab…9f"))
    '<span class="nb">30 s</span> are &lt;promised&gt; to <span class="nb">phc_ab…9f</span>'
    """
    return Markup("").join(_parts(text))


def _parts(text: str) -> Iterator[str | Markup]:
    """Plain strings are escaped by whoever joins them."""
    at = 0
    for found in _WHOLE.finditer(text):
        yield text[at : found.start()]
        yield Markup('<span class="nb">{}</span>').format(found[0])
        at = found.end()
    yield text[at:]
