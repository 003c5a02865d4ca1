"""`fairlane up`: the whole pipeline on this machine, until Ctrl-C."""

import sys
import threading
from contextlib import ExitStack, suppress
from typing import Annotated

import orjson
import typer

from fairlane.cli.context import quiet_client, settings_of


def up(
    context: typer.Context,
    *,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object with the addresses on stdout when everything is ready.")
    ] = False,
) -> None:
    """Run the whole pipeline here: Kafka (unless kafka.bootstrap is set), workers, probe, controller, capture and the pages."""
    from confluent_kafka.admin import AdminClient

    from fairlane.stack.interrupt import interruptible
    from fairlane.stack.kafka import LocalKafka
    from fairlane.stack.keeper import Keeper
    from fairlane.stack.supervisor import Supervisor
    from ingestion.lanes.topics import ensure_topics

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    configured = settings = settings_of(context)
    with interruptible(), ExitStack() as stack:
        version = ""
        if configured.local:
            say(f"starting Apache Kafka, state in {configured.state_dir}")
            broker = stack.enter_context(LocalKafka(configured.state_dir))
            version = broker.version
            settings = configured.model_copy(update={"kafka": broker.config()})
            say(f"Apache Kafka {version} ready in {broker.ready_s:.1f} s on {broker.bootstrap}")
            stack.enter_context(Keeper(broker, say))
        ensure_topics(AdminClient(quiet_client(settings)), settings.pipeline, local=configured.local)
        supervisor = stack.enter_context(Supervisor(settings, broker_version=version, report=say))
        took_s = supervisor.wait_ready()
        if json:
            print(
                orjson.dumps(
                    {"bootstrap": settings.kafka.bootstrap, "broker_version": version, "urls": supervisor.urls}
                ).decode(),
                flush=True,
            )
        say(f"{len(supervisor.urls)} processes ready in {took_s:.1f} s; stop with Ctrl-C")
        say(f"  pages   {supervisor.urls['web']}")
        say(f"  events  {supervisor.urls['capture']}/v1/events")
        say(f"  Kafka   {settings.kafka.bootstrap}")
        stack.callback(say, "stopping")
        # being told to stop is how this ends well; only an interrupted start is an interruption
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
