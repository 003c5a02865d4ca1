"""Alert windows of your own, from a small YAML file, instead of a preset.

windows:
  - {long: 1h, short: 5m, budget_percent: 2, severity: page}
  - {long: 6h, short: 1h, factor: 2, severity: ticket}
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Final

from slo.errors import ConfigError
from slo.openslo.duration import parse_duration
from slo.openslo.text import BadText, Document, read_text
from slo.slices import SLICE_S
from slo.windows import DAY, Pair, Share, Tier, window_name

KEYS: Final = ("long", "short", "factor", "budget_percent", "severity")
LONGEST_S: Final = 31 * DAY
"""Rolling sums reach back so far."""


def read_windows(text: str, name: str) -> tuple[Share | Pair, ...]:
    """The windows in `text`, in their order; `name` is the file's, for messages. Raises ConfigError with one line per problem, each with its line number."""
    try:
        documents = list(read_text(text))
    except BadText as error:
        raise ConfigError(f"{name}: {error}") from None
    problems: list[str] = []
    found: list[Share | Pair] = []
    if len(documents) != 1:
        problems.append(f"{name}: one document with the key 'windows' is needed, not {len(documents)}")
    for document in documents[:1]:
        for path, part in _entries(document, name, problems):
            try:
                found.append(_window(part))
            except ValueError as error:
                problems.append(f"{name}:{document.line(path)}: windows.{path[-1]}: {error}")
    names = [f"{window_name(w.long_s)}/{window_name(w.short_s)}" for w in found]
    problems += [
        f"{name}: the windows {one} stand there twice" for one in sorted({n for n in names if names.count(n) > 1})
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(found)


def pairs_of(windows: tuple[Share | Pair, ...], window_days: int) -> tuple[Pair, ...]:
    """Their pairs for an objective over `window_days`: a share of the budget becomes a factor."""
    return tuple(w.pair(window_days * DAY) if isinstance(w, Share) else w for w in windows)


def _entries(document: Document, name: str, problems: list[str]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    value = document.value
    if (
        not isinstance(value, dict)
        or set(value) != {"windows"}
        or not isinstance(value["windows"], list)
        or not value["windows"]
    ):
        problems.append(
            f"{name}:{document.line(())}: it must be a mapping with the one key 'windows', a list of one or more windows"
        )
        return
    for n, part in enumerate(value["windows"]):
        yield ("windows", n), part


def _window(part: Any) -> Share | Pair:
    if not isinstance(part, dict):
        # it becomes a line of the message, like every other mistake in the file
        raise ValueError(f"{part!r} is no window: write {{long: 1h, short: 5m, factor: 14.4, severity: page}}")  # noqa: TRY004
    for key in part:
        if key not in KEYS:
            close = get_close_matches(str(key), KEYS, 1)
            raise ValueError(
                f"unknown key {key!r}{f'; did you mean {close[0]!r}' if close else ''}; there are {', '.join(KEYS)}"
            )
    for key in ("long", "short", "severity"):
        if key not in part:
            raise ValueError(f"{key!r} is missing")
    long_s, short_s = parse_duration(part["long"]).seconds, parse_duration(part["short"]).seconds
    if long_s > LONGEST_S:
        raise ValueError(f"long {part['long']} is longer than 31 days")
    if not 2 * SLICE_S <= short_s < long_s:
        raise ValueError(
            f"short {part['short']} must be at least {2 * SLICE_S // 60}m, two slices, and shorter than long {part['long']}"
        )
    if part["severity"] not in {"page", "ticket"}:
        raise ValueError(f"severity is page or ticket, not {part['severity']!r}")
    tier = Tier(part["severity"])
    if ("factor" in part) == ("budget_percent" in part):
        raise ValueError("give one of factor and budget_percent")
    if "factor" in part:
        return Pair(long_s, short_s, Fraction(_number(part["factor"], "factor")), tier)
    percent = _number(part["budget_percent"], "budget_percent")
    if percent > 100:
        raise ValueError(f"budget_percent: at most the whole budget, 100, not {percent}")
    return Share(long_s, short_s, percent / 100, tier)


def _number(value: object, key: str) -> Decimal:
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{key}: a number above 0 is needed, not {value!r}")
    return number
