"""Single values of OpenSLO documents: names, references, numbers, durations. Each refuses, with the reason, what only looks like one."""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from slo.openslo.duration import Duration, parse_duration

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONG_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.|/\\-]{0,253}[a-z0-9])?")


def _name(text: Any) -> Any:
    if not isinstance(text, str) or not (_LABEL.fullmatch(text) or _LONG_NAME.fullmatch(text)):
        raise ValueError(
            f"{text!r} is no name: 1 to 63 of a-z, 0-9 and '-' (up to 255 with . | / \\), a letter or digit at both ends"
        )
    return text


def _ref(text: Any) -> Any:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{text!r} refers to nothing: give a name or a path")
    return text


def _label(value: Any) -> Any:
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise ValueError(
            f"{value!r} is neither a string nor a list of strings; quote what looks like a number or a flag"
        )
    return value


def _number(value: Any) -> Any:
    # true is 1 in Python, and "0.99" would be taken as a number; pydantic turns a ValueError into a problem with its path
    if isinstance(value, (bool, str)):
        raise ValueError(  # noqa: TRY004
            f"{value!r} is no number"
        )
    return Decimal(str(value)) if isinstance(value, float) else value


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError(  # noqa: TRY004
            f"{value!r} is neither true nor false"
        )
    return value


def _slice(value: Any) -> Any:
    """A duration, or a number of minutes."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 1 <= value < float("inf") or value != int(value):
            raise ValueError(f"{value!r} minutes: a time slice is one or more whole minutes")
        return Duration(int(value), "m")
    return parse_duration(value)


Name = Annotated[str, BeforeValidator(_name)]
Ref = Annotated[str, BeforeValidator(_ref)]
"""The specification's "name or path" of an alerting object: more than a name."""
Label = Annotated[str | list[str], BeforeValidator(_label)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Bool = Annotated[bool, BeforeValidator(_boolean)]
Shorthand = Annotated[Duration, BeforeValidator(parse_duration)]
SliceWindow = Annotated[Duration, BeforeValidator(_slice)]
Text = Annotated[str, Field(max_length=1050)]
