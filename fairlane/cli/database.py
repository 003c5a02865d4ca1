"""The database of a command: opened for a with-block, let go after it, and told in our words when it does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fairlane.database import open_database
from fairlane.settings import Settings
from slo.errors import Unreachable


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """The database for a with-block. Raises Unreachable, also for what goes wrong with it inside the block, and as `open_database`."""
    engine = open_database(settings.database_url)
    try:
        yield engine
    except SQLAlchemyError as error:
        first = (str(getattr(error, "orig", None) or error).strip().splitlines() or ["?"])[0]
        raise Unreachable(f"the database does not answer: {first}. Check database.url.") from error
    finally:
        engine.dispose()
