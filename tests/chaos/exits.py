"""What processes said last: uncaught exceptions in their logs, and which of them a run's faults excuse. Pure but for reading the logs."""

import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TRACEBACK: Final = re.compile(
    r"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(?P<what>\S.*)(?P<led>\n\n(?:The above exception|During handling))?"
)
_CLIENT: Final = re.compile(r"^%\d\|.*\n", re.MULTILINE)
"""librdkafka's own lines, which may stand between any two others."""
_STOPPED: Final = {None, 0, -signal.SIGKILL, -signal.SIGTERM}
_SLOT: Final = "give each its own --slot"
"""Said by a worker that leaves because a second one in its slot fenced it again and again (kind `replace`)."""
EXCUSED: Final = ("slo.errors.BrokerUnreachable:",)
"""A worker that is started while the broker is away says so and ends; whoever keeps workers starts it again."""


def exceptions(text: str) -> list[str]:
    """The last line of every traceback in a log; those that led to another one are left out."""
    found = _TRACEBACK.finditer(_CLIENT.sub("", text))
    return [match["what"].strip() for match in found if not match["led"]]


def inexcusable(ends: Iterable[tuple[str, int | None]], directory: Path) -> list[str]:
    """In words: exceptions and exits of a run's processes that none of its faults brings about. `ends`: (name, exit code, None while it runs)."""
    wrong = []
    for name, code in ends:
        said = (directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        found = exceptions(said)
        wrong += [f"{name}: uncaught {what}" for what in found if not what.startswith(EXCUSED)]
        if code not in _STOPPED and not (code == 1 and (found or _SLOT in said)):
            wrong.append(f"{name} ended by itself with exit code {code}")
    return wrong
