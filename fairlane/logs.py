"""Logging of a role: one JSON object a line on stderr. What repeats itself is held back, so that an outage of hours does not fill a disk."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

BURST: Final = 5
WINDOW_S: Final = 60.0
_KEY: Final = 200
_STATEMENTS: Final = 1_000
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """`at` (UTC), `level`, `role`, `logger`, `message`, the record's `extra` fields, and `error` with the traceback's text."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {
            "at": at,
            "level": record.levelname.lower(),
            "role": self._role,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class Repeats(logging.Filter):
    """Lets the first BURST lines of a statement in the code through in each WINDOW_S, and tells with the next one how many were held back (`held_back`).

    The statement counts, not its text: an error that names another offset each time is the same error.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], _Statement] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Is this line to be written?"""
        if record.levelno < logging.WARNING:
            return True
        now, key = self._clock(), (record.pathname, record.lineno, str(record.msg)[:_KEY])
        if len(self._seen) >= _STATEMENTS and key not in self._seen:
            # messages that were formatted before they were logged are each a statement of their own
            self._seen.clear()
        seen = self._seen.setdefault(key, _Statement(now))
        if now - seen.since >= WINDOW_S:
            seen.since, seen.lines = now, 0
        seen.lines += 1
        if seen.lines > BURST:
            seen.held_back += 1
            return False
        if seen.held_back:
            record.held_back, seen.held_back = seen.held_back, 0
        return True


@dataclass(slots=True)
class _Statement:
    since: float
    lines: int = 0
    held_back: int = 0


def to_stderr(role: str, level: int = logging.INFO) -> None:
    """Send everything from `level` up to stderr, in place of what was set before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(role))
    # on the handler, so that what comes from any logger passes it
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for chatty in ("apscheduler", "httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
