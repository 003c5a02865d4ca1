"""A configuration as TOML text: the standard library reads TOML and does not write it."""

import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(tree: Mapping[str, Any]) -> str:
    """`tree` as TOML: plain values first, then one table per nested mapping. None is left out.

    Raises TypeError for a value that TOML has no form for.

    >>> print(dumps({"a": 1, "kafka": {"security.protocol": "SSL"}}), end="")
    a = 1
    <BLANKLINE>
    [kafka]
    "security.protocol" = "SSL"
    """
    return "\n".join(_table(tree, ())).lstrip("\n") + "\n"


def _table(tree: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [
        f"{_key(key)} = {_value(value)}"
        for key, value in tree.items()
        if not isinstance(value, Mapping) and value is not None
    ]
    if path and (lines or not tree):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return _value(value.value)
    if isinstance(value, (str, Path)):
        return _text(str(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"TOML has no form for {type(value).__name__}")


def _text(text: str) -> str:
    # a JSON string is a TOML basic string, but for DEL, which TOML wants escaped, and for surrogate pairs, which it does not know
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
