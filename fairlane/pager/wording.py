"""The alerts' texts with their values: as much of Prometheus' templates as the alerts use."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Final

_HOLE: Final = re.compile(r"{{\s*(?:\$labels\.(?P<label>\w+)|\$value(?:\s*\|\s*(?P<how>\w+))?)\s*}}")
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def filled(template: str, labels: Mapping[str, str], value: float) -> str:
    """The text with its labels and its value. Raises ValueError for a template that is not understood."""

    def fill(match: re.Match[str]) -> str:
        if match["label"]:
            return labels.get(match["label"], "")
        match match["how"]:
            case None:
                return f"{value:.6g}"
            case "humanize":
                return f"{value:.4g}"
            case "humanizeDuration":
                return duration(value)
            case "humanizePercentage":
                return f"{value * 100:.4g}%"
        raise ValueError(f"{match[0]} is not understood")

    text = _HOLE.sub(fill, template)
    if "{{" in text:
        raise ValueError(f"{template!r} has a part that is not understood")
    return text


def duration(seconds: float) -> str:
    """Such as `1h 12m 3s`, as Prometheus writes it."""
    if not isfinite(seconds):
        return f"{seconds:g}"
    if abs(seconds) < 60:
        return f"{seconds:.4g}s"
    left, parts = int(abs(seconds)), list[str]()
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + " ".join(parts)
