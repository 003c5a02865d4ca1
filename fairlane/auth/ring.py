"""The keys as the web process holds them: read again every other second, and kept for a while when the database is away, because that is when people need the pages.

Whoever has proven to hold a key is looked up once more: what was revoked or given other roles is so at once. Strangers cost the database nothing.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from fairlane.auth.keys import ApiKey
from fairlane.auth.keystore import KeyStore
from fairlane.auth.trail import Database
from slo.clock import Clock
from slo.errors import FairlaneError, Unreachable

FRESH_S: Final = 2.0
"""A new key is seen after so long at the latest; while the database does not answer it is asked so often."""
GRACE_S: Final = 900.0
"""So long the keys that were known are taken while the database does not answer."""
NOTE_S: Final = 60.0
"""How often it is noted when keys were last used."""
log = logging.getLogger(__name__)


class KeyRing:
    """Thread-safe; one thread reads again while the others use what there is."""

    def __init__(self, use: Database, clock: Clock) -> None:
        self._use = use
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, ApiKey] = {}
        self._read_at: float | None = None
        self._tried_at = float("-inf")
        self._noted_at = clock.monotonic()
        self._used: dict[str, int] = {}
        self._problem = ""
        self._answers = True

    def find(self, key_id: str) -> ApiKey | None:
        """The key, expired and revoked ones too; None when there is none. Raises Unreachable when the keys have not been read for GRACE_S."""
        self._refresh()
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at > GRACE_S:
            raise Unreachable(
                f"keys cannot be checked: {self._problem or 'the database has not answered yet'}. At the command line `fairlane mode off` works without them"
            )
        return self._keys.get(key_id)

    def again(self, key: ApiKey) -> ApiKey | None:
        """A key that `find` gave, as the database has it at this moment; as it was known while the database does not answer."""
        # `find` has just looked, or somebody has been waiting for the answer of that look for so long: then it hangs
        hangs = self._clock.monotonic() - self._tried_at >= FRESH_S
        if hangs or not self._answers:
            return key
        try:
            with self._use() as engine:
                return KeyStore(engine).find(key.id)
        except (SQLAlchemyError, FairlaneError) as error:
            # requests do not wait for it one by one: `find` looks again every FRESH_S
            self._answers = False
            self._problem = _first(error)
            return key

    def note(self, key_id: str, at_ms: int) -> None:
        """This key was used."""
        self._used[key_id] = at_ms

    def _refresh(self) -> None:
        first = self._read_at is None
        if not first and self._clock.monotonic() - self._tried_at < FRESH_S:
            return
        if not self._lock.acquire(blocking=first):
            return
        try:
            now = self._clock.monotonic()
            if now - self._tried_at < FRESH_S:
                return
            # the moment before reading: what is revoked while it is read is seen by the next look
            self._tried_at = now
            with self._use() as engine:
                store = KeyStore(engine)
                self._keys = {key.id: key for key in store.all()}
                self._read_at = now
                self._answers = True
                if self._used and now - self._noted_at >= NOTE_S:
                    used, self._used, self._noted_at = self._used, {}, now
                    store.used(used)
        except (SQLAlchemyError, FairlaneError) as error:
            self._answers = False
            self._problem = _first(error)
            log.warning("keys cannot be read: %s", self._problem)
        finally:
            self._lock.release()


def _first(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).strip().splitlines() or ["?"])[0]
