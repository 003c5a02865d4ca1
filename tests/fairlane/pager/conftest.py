"""Databases of both kinds, empty for each test."""

from tests.support.database_fixtures import engine, postgres

__all__ = ["engine", "postgres"]
