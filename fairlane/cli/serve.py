"""`fairlane serve ROLE`: one role in this process."""

from enum import StrEnum
from typing import Annotated

import typer

from fairlane.cli.context import quiet_client, reachable, settings_of
from ingestion.contracts.names import Lane


class Role(StrEnum):
    """What can be served."""

    CAPTURE = "capture"
    WORKER = "worker"
    PROBE = "probe"
    CONTROLLER = "controller"
    WEB = "web"


def serve(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(help="Which part of the pipeline this process is.")],
    *,
    lane: Annotated[Lane, typer.Option(help="The worker's lane.")] = Lane.GENERAL,
    slot: Annotated[
        str | None, typer.Option(help="The worker's slot (worker.slot): keeps its transactional.id.")
    ] = None,
    name: Annotated[str, typer.Option("--as", hidden=True, help="Name in the log.")] = "",
    topics: Annotated[
        bool, typer.Option(" /--no-topics", hidden=True, help="Whoever starts this process has looked at the topics.")
    ] = True,
) -> None:
    """Run one role until SIGTERM or Ctrl-C; it leaves within 10 s."""
    from fairlane.roles import build, frame

    configured = settings_of(context)
    frame.begin(name or (f"worker-{lane}" if role is Role.WORKER else str(role)))
    with frame.stop_on_signals() as stop:
        settings = reachable(configured)
        if slot is not None:
            settings = settings.model_copy(update={"worker": settings.worker.model_copy(update={"slot": slot})})
        if topics:
            from confluent_kafka.admin import AdminClient

            from ingestion.lanes.topics import ensure_topics

            ensure_topics(AdminClient(quiet_client(settings)), settings.pipeline, local=configured.local)
        code = build.runner(role, lane)(settings, stop)
    raise typer.Exit(code)
