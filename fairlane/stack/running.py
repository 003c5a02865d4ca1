"""What runs on this machine: `processes.json` in the state directory, written by the supervisor, read by the CLI and the pages."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson
import psutil

FILE: Final = "processes.json"


@dataclass(frozen=True, slots=True)
class RoleProcess:
    """One role's process. `url` is where it answers HTTP (its pages or events, else the health server)."""

    pid: int
    url: str
    log: str
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A running `fairlane up` or demo."""

    pid: int
    started_s: float
    """The supervisor process's start (Unix seconds): tells it from a later process with the same id."""
    bootstrap: str
    pipeline: str
    broker_version: str = ""
    """Of the local Kafka; empty on the user's own."""
    roles: Mapping[str, RoleProcess] = field(default_factory=dict)


def write(state_dir: Path, running: Running) -> None:
    """Publish it in one step."""
    target = state_dir / FILE
    draft = target.with_suffix(".tmp")
    draft.write_bytes(orjson.dumps(asdict(running), option=orjson.OPT_INDENT_2))
    draft.replace(target)


def forget(state_dir: Path) -> None:
    """Nothing runs any more."""
    (state_dir / FILE).unlink(missing_ok=True)


def find(state_dir: Path) -> Running | None:
    """What runs with this state directory, None when nothing does (a file that a killed supervisor left counts as nothing)."""
    try:
        raw = orjson.loads((state_dir / FILE).read_bytes())
        running = Running(**{**raw, "roles": {name: RoleProcess(**role) for name, role in raw["roles"].items()}})
        same = abs(psutil.Process(running.pid).create_time() - running.started_s) < 1
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return running if same else None


def own_start() -> float:
    """This process's start in Unix seconds, as `Running.started_s`."""
    return psutil.Process(os.getpid()).create_time()
