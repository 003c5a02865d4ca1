"""A web app that asks who you are, over a real database of keys, for tests of roles."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.app import canned, canned_moves
from fairlane.app.canned_moves import EPOCH
from fairlane.app.canned_source import CannedSource
from fairlane.app.door import gate_of
from fairlane.app.main import create_app
from fairlane.app.pages import Links
from fairlane.app.rooms import rooms
from fairlane.app.shelf import Shelf
from fairlane.auth.audit import AuditLog
from fairlane.auth.chain import Entry
from fairlane.auth.keystore import KeyStore
from fairlane.auth.role import Role
from fairlane.auth.spool import Spool
from fairlane.auth.trail import Trail
from fairlane.database import open_database
from fairlane.settings import load
from slo.clock import ManualClock
from tests.support.desk import KeptDesk
from tests.support.served import served

ROLES = tuple(Role)


@dataclass(frozen=True)
class Guarded:
    """The app's address, a key for each role (and one without any), and what it did."""

    url: str
    keys: dict[str, str]
    ids: dict[str, str]
    desk: KeptDesk
    clock: ManualClock
    store: KeyStore
    log: AuditLog
    registry: CollectorRegistry
    engine: Engine

    def bearer(self, role: str) -> dict[str, str]:
        """Headers of somebody with that role; "" is nobody."""
        return {"authorization": f"Bearer {self.keys[role]}"} if role else {}

    def audited(self) -> list[Entry]:
        """The audit log, oldest first, without what was done to keys."""
        return [one.entry for one in self.log.links() if not one.entry.action.startswith("key.")]


@contextmanager
def guarded(directory: Path, **auth: object) -> Iterator[Guarded]:
    """The app, with `auth` settings beside `keys = true`."""
    overrides = {
        "state_dir": str(directory),
        "auth.keys": True,
        **{f"auth.{name}": value for name, value in auth.items()},
    }
    settings = load(None, overrides)
    engine = open_database(settings.database_url)
    clock, desk, store, registry = ManualClock(EPOCH), KeptDesk(), KeyStore(engine), CollectorRegistry()
    source = CannedSource(canned.moved(), scene=canned_moves.moved())
    shelf = Shelf(lambda: open_database(settings.database_url), clock)
    keys, ids = {}, {}
    for role in ROLES:
        made, keys[role] = store.create(f"the {role}", [role], int(EPOCH * 1000))
        ids[role] = made.id
    app = create_app(
        source,
        registry,
        desk=desk,
        clock=clock,
        gate=gate_of(settings, clock, shelf.use),
        trail=Trail(shelf.use, Spool(directory), clock),
        routers=rooms(settings, clock, Links(), lambda _: ""),
    )
    try:
        with served(app) as url:
            yield Guarded(url, keys, ids, desk, clock, store, AuditLog(engine), registry, engine)
    finally:
        shelf.close()
        engine.dispose()
