"""The rooms of the web app that live on the database alone: objectives, pushes, capacity, reports. Each is a line here."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter

from fairlane.app.capacity_pages import capacity_router
from fairlane.app.pages import Links
from fairlane.app.shelf import Shelf
from fairlane.app.sla_pages import sla_router
from fairlane.app.slis_api import slis_api
from fairlane.app.slo_pages import slo_router
from fairlane.capacity.watched import watched
from fairlane.database import open_database
from fairlane.objectives import objectives_of
from fairlane.settings import Settings
from fairlane.slis.push import Pushes
from slo.clock import Clock


def rooms(settings: Settings, clock: Clock, links: Links, cause: Callable[[str], str]) -> tuple[APIRouter, ...]:
    """Their routers; the database is opened when it is first needed and left with the app. Raises ConfigError for objectives or limits that are refused."""
    shelf = Shelf(lambda: open_database(settings.database_url), clock)
    objectives = objectives_of(settings)
    known = watched(settings)

    @asynccontextmanager
    async def life(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            shelf.close()

    return (
        APIRouter(lifespan=life),
        slo_router(shelf, objectives, clock, links, cause),
        slis_api(shelf, Pushes(objectives, clock)),
        capacity_router(shelf, known, clock, links),
        sla_router(shelf, settings.pipeline.name, objectives, settings.slo.zone, clock),
    )
