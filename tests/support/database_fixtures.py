"""Fixtures: databases of both kinds, empty for each test. A conftest imports them by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.databases import BACKENDS, emptied, opened, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Engine]:
    """A migrated PostgreSQL that stops with the session."""
    with postgres_server() as url, opened(url) as engine:
        yield engine


@pytest.fixture(params=BACKENDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated, empty database."""
    if request.param == "postgresql":
        yield emptied(request.getfixturevalue("postgres"))
        return
    with opened(f"sqlite:///{tmp_path / 'fairlane.db'}") as engine:
        yield engine
