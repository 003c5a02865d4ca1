"""What is wrong with a configuration, one line per problem: the key, where it was given, and the nearest name that exists."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from isolator.constants import Policy

_PREFIX: Final = "FAIRLANE_"
NOT_SETTINGS: Final = ("FAIRLANE_API_KEY", "FAIRLANE_CACHE", "FAIRLANE_CONFIG")
"""Variables with our prefix that are no settings."""

DERIVED: Final = {
    "slo_s": "pipeline.slo_s",
    "tick_s": "controller.tick_s",
    "hung_s": "pipeline.hung_s",
    "hold_max_s": "pipeline.hold_max_s",
}
"""Constants of Policy that another section sets: named once, so that they cannot disagree."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where values can come from: flags (nested), the file's content (nested) and its path."""

    model: type[BaseModel]
    flags: Mapping[str, Any]
    content: Mapping[str, Any]
    file: str

    def of(self, path: Sequence[str]) -> str:
        """Who gave the value at `path`, in a person's words; "" for a default."""
        if _has(self.flags, path):
            return "a flag"
        if name := _variable(path):
            return f"environment variable {name}"
        if self.file and (_has(self.content, path) or _has(self.content, ".".join(path).split("."))):
            return self.file
        return ""

    def said(self, path: Sequence[str]) -> str:
        """` (from ...)` for the value at `path`, "" for a default."""
        where = self.of(path)
        return f" (from {where})" if where else ""


def explain(error: ValidationError, origin: Origin) -> list[str]:
    """One line per problem in `error`."""
    lines: list[str] = []
    for problem in error.errors(include_url=False, include_context=True):
        path = [str(part) for part in problem["loc"]]
        if path[:2] == ["policy", "constants"]:
            del path[1]
        source = origin.said(path)
        if problem["type"] == "extra_forbidden" and path[0] == "policy" and path[-1] in DERIVED:
            lines.append(f"{'.'.join(path)}: set {DERIVED[path[-1]]} instead, which it follows{source}")
            continue
        if problem["type"] == "extra_forbidden":
            if path[0] == "policy" and path[-1] in DERIVED:
                lines.append(f"{'.'.join(path)}: set {DERIVED[path[-1]]} instead, which it follows{source}")
                continue
            lines.append(
                f"{'.'.join(path)}: there is no such setting{source}{_hint(path, siblings(origin.model, path[:-1]))}"
            )
            continue
        if problem["type"] == "passthrough":
            lines += [
                f"kafka.{name}: {what}{origin.said(['kafka', name])}" for name, what in problem["ctx"]["problems"]
            ]
            continue
        message = problem["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        given = (
            "" if isinstance(problem["input"], (Mapping, BaseModel)) or _secret(path) else f", not {problem['input']!r}"
        )
        lines.append(f"{'.'.join(path) or 'configuration'}: {message}{given}{source}")
    return lines


def unknown_variables(model: type[BaseModel]) -> list[str]:
    """One line per environment variable with our prefix whose first part names no setting (deeper parts are seen by the model)."""
    lines: list[str] = []
    for name in sorted(os.environ):
        if not name.startswith(_PREFIX) or name in NOT_SETTINGS:
            continue
        head = name[len(_PREFIX) :].lower().split("__", 1)[0]
        if head in model.model_fields:
            continue
        known = {f"{_PREFIX}{path.replace('.', '__').upper()}" for path in paths(model)} | {*NOT_SETTINGS}
        near = get_close_matches(name, sorted(known), 1, 0.6)
        lines.append(
            f"{name}: there is no such setting (from the environment)" + (f"; did you mean {near[0]}?" if near else "")
        )
    return lines


def siblings(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The names that exist in the section at `path`."""
    if list(path) == ["policy"]:
        return ["mode", *(field.name for field in fields(Policy) if field.name not in DERIVED)]
    for part in path:
        kind = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)


def paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted path of every setting below `model`."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += paths(kind, f"{prefix}{name}.")
        elif kind is Policy:
            found += [f"{prefix}{one.name}" for one in fields(Policy) if one.name not in DERIVED]
        else:
            found.append(prefix + name)
    return found


def _hint(path: Sequence[str], names: Sequence[str]) -> str:
    near = get_close_matches(path[-1], names, 1, 0.6)
    if near:
        return f"; did you mean {'.'.join([*path[:-1], near[0]])}?"
    return f"; there are {', '.join(names)}" if names and len(names) < 16 else ""


def _variable(path: Sequence[str]) -> str:
    wanted = _PREFIX + "__".join(path).replace(".", "_").upper()
    return next((name for name in os.environ if name.upper() == wanted), "")


def _has(tree: Mapping[str, Any], path: Sequence[str]) -> bool:
    node: Any = tree
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def _secret(path: Sequence[str]) -> bool:
    words = ("password", "secret", "url", "webhook", "heartbeat", "targets")
    return any(word in path[-1] for word in words) if path else False
