"""Local times: what clocks show twice or never is refused."""

import pytest

from fairlane.sla.times import instant
from slo.errors import UsageError


@pytest.mark.parametrize(
    ("text", "zone", "seconds"),
    [
        ("2026-10-06T02:00", "Europe/Berlin", 1_791_244_800),
        ("2026-10-06 02:00", "Europe/Berlin", 1_791_244_800),
        ("2026-10-06T00:00Z", "Europe/Berlin", 1_791_244_800),
        ("2026-10-25T02:30+02:00", "Europe/Berlin", 1_792_888_200),
        ("2026-10-25T02:30+01:00", "Europe/Berlin", 1_792_891_800),
    ],
)
def test_a_time_is_an_instant(text: str, zone: str, seconds: int) -> None:
    assert instant(text, zone, "--from") == seconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-10-25T02:30", r"comes twice in Europe/Berlin.*write 2026-10-25T02:30\+02:00 or 2026-10-25T02:30\+01:00"),
        ("2026-03-29T02:30", "there is no such time in Europe/Berlin"),
        ("2026-02-30T02:00", "write a time such as"),
        ("2026-10-06", "give the time of day too"),
        ("tomorrow", "write a time such as"),
    ],
)
def test_what_is_no_instant_says_why(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"--from .*{says}"):
        instant(text, "Europe/Berlin", "--from")
