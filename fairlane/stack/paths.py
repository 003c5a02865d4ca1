"""Where things lie on this machine: the download cache and the state directory."""

import os
import sys
import tempfile
from pathlib import Path

from slo.errors import StateDirectoryError


def cache_dir() -> Path:
    """Where downloads are kept: FAIRLANE_CACHE, else `fairlane` in the platform's cache directory."""
    if own := os.environ.get("FAIRLANE_CACHE"):
        return Path(own).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fairlane"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairlane"


def default_state_dir() -> Path:
    """Where data and logs are kept unless `state_dir` says otherwise: `fairlane` in the platform's state directory."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "fairlane"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "fairlane"


def writable(directory: Path) -> Path:
    """The directory, made if need be and proven writable.

    Raises StateDirectoryError, which names the directory and what to set, when it cannot be used.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".writable-"):
            pass
    except OSError as error:
        raise StateDirectoryError(
            f"cannot write to the state directory {directory}: {error.strerror or error}. "
            "Give one that you may write to with --state-dir or FAIRLANE_STATE_DIR, or free some space."
        ) from error
    return directory
