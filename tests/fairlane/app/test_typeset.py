"""Where lines may break: what belongs together stays together, and everything stays text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from fairlane.app.typeset import unbroken


def kept(text: str) -> list[str]:
    return re.findall(r'<span class="nb">(.*?)</span>', unbroken(text))


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("waited 94.2 s, 30 s are promised", ["94.2 s", "30 s"]),
        ("phc_ab41…39f does 83 % of the work", ["phc_ab41…39f", "83 %"]),
        (
            "is reached about 29 Jan 2027, and raising it takes 90 days: 25 days too late",
            ["29 Jan 2027", "90 days", "25 days"],
        ),
        ("streams: CAP-12 larger volumes", ["CAP-12"]),
        ("719 GB, −1.2 GB a week", ["719 GB", "−1.2 GB"]),
        ("since 2027-01-15 08:29:00 UTC", ["2027-01-15 08:29:00 UTC"]),
        ("spends its 30-day budget in 45 h", ["30-day", "45 h"]),
        ("1 of 5,012 tokens is moved", []),
        ("3 seconds and 4 Bands in 12 mins", []),
    ],
)
def test_numbers_stay_with_their_units_dates_and_tokens_whole(text: str, together: list[str]) -> None:
    assert kept(text) == together


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("<>&\"'… 0123456789smhd%BkCAP-Jan:UTC"))
def test_nothing_is_lost_and_nothing_becomes_markup(text: str) -> None:
    plain = unbroken(text).replace('<span class="nb">', "").replace("</span>", "")
    assert plain == str(escape(text))
