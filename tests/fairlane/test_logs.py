"""One line a record, whatever it holds."""

import json
import logging
import sys

from fairlane.logs import BURST, WINDOW_S, JsonLines, Repeats


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("some.where").makeRecord(
        "some.where", logging.WARNING, "f", 1, message, args, None, extra=extra
    )
    made.created, made.msecs = 0.25, 250.0
    return made


def test_a_line_is_one_json_object() -> None:
    line = JsonLines("probe").format(record("a\nb %s", '"x"', token="t", size={1}))
    assert "\n" not in line
    assert json.loads(line) == {
        "at": "1970-01-01T00:00:00.250Z",
        "level": "warning",
        "role": "probe",
        "logger": "some.where",
        "message": 'a\nb "x"',
        "token": "t",
        "size": "{1}",
    }


def test_a_traceback_is_a_field() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    assert "ValueError: why" in json.loads(JsonLines("probe").format(failed))["error"]


def test_what_repeats_itself_is_held_back_and_counted() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    written = [repeats.filter(record("the broker is away: %s", n)) for n in range(100)]
    assert written == [True] * BURST + [False] * (100 - BURST)
    now = WINDOW_S
    after = record("the broker is away: %s", "still")
    assert repeats.filter(after)
    assert json.loads(JsonLines("probe").format(after))["held_back"] == 100 - BURST
    again = record("the broker is away: %s", "still")
    assert repeats.filter(again)
    assert "held_back" not in json.loads(JsonLines("probe").format(again))


def test_another_statement_and_what_is_no_trouble_are_always_written() -> None:
    repeats = Repeats(lambda: 0.0)
    for n in range(3 * BURST):
        repeats.filter(record("the broker is away"))
        news = record("the broker is back")
        news.lineno = n
        assert repeats.filter(news)
        plain = record("a token was moved")
        plain.levelno = logging.INFO
        assert repeats.filter(plain)


def test_its_memory_is_bounded() -> None:
    repeats = Repeats(lambda: 0.0)
    for n in range(5_000):
        repeats.filter(record(f"formatted before it was logged {n}"))
    assert len(repeats._seen) <= 1_000
