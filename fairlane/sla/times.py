"""Local times as people write them, as instants; what clocks show twice, or never, is refused instead of guessed. Pure."""

from datetime import UTC, datetime

from slo.calendar import zone_of
from slo.errors import UsageError


def instant(text: str, zone: str, name: str) -> int:
    """`2026-10-06T02:00` in `zone`, or with an offset of its own (`...+02:00`, `...Z`), as Unix seconds.

    Raises UsageError, naming `name`, for what is no time, or is none or two of that zone because clocks are changed.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{name} {text}: write a time such as 2026-10-06T02:00 (in {zone}), or 2026-10-06T00:00Z"
        ) from None
    if "T" not in text and " " not in text.strip():
        raise UsageError(f"{name} {text}: give the time of day too, such as {text.strip()}T02:00")
    if found.tzinfo is None:
        local = found.replace(tzinfo=zone_of(zone))
        if local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != found:
            raise UsageError(f"{name} {text}: there is no such time in {zone}: clocks are put forward over it")
        if local.utcoffset() != local.replace(fold=1).utcoffset():
            first, second = (local.replace(fold=n).strftime("%z") for n in (0, 1))
            raise UsageError(
                f"{name} {text}: this time comes twice in {zone}, because clocks are put back: write {text}{first[:3]}:{first[3:]} or {text}{second[:3]}:{second[3:]}"
            )
        found = local
    return int(found.timestamp())
