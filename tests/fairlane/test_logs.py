"""One line a record, whatever it holds."""

import json
import logging
import sys

from fairlane.logs import JsonLines


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
