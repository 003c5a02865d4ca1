"""Where the repository is, and what belongs to it."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("slo", "ingestion", "isolator", "alerts", "dashboards", "fairlane")


def modules() -> Iterator[Path]:
    """Every module of ours, tests left out."""
    for room in ROOMS:
        yield from sorted(path for path in (ROOT / room).rglob("*.py"))


def documents() -> Iterator[Path]:
    """Every page of the documentation, and the README."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))
