"""`fairlane pager`: a test page through every channel, and what the built-in pager has told and has yet to tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alerts.model import Tier
from fairlane.app import words
from fairlane.cli.acting import as_person
from fairlane.cli.context import settings_of
from fairlane.database import open_database
from fairlane.pager.channels import Channel, channels
from fairlane.pager.finding import Finding
from fairlane.pager.http import HttpPoster
from fairlane.pager.notice import Kind, Notice
from fairlane.pager.outbox import Outbox
from fairlane.settings import Settings
from slo.clock import SystemClock
from slo.errors import ConfigError, Unreachable, UsageError

app = typer.Typer(help="Send a test page, or show what the built-in pager has to tell.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]
TEST: Final = "PagerTest"


@dataclass(frozen=True, slots=True)
class Told:
    """How a channel took the test."""

    channel: str
    kind: str
    taken: bool
    answer: str


@app.command("test")
def send_test(
    context: typer.Context,
    tier: Annotated[Tier, typer.Option(help="Whom it reaches: page, ticket or notify.")] = Tier.PAGE,
    *,
    resolve: Annotated[bool, typer.Option("--resolve/--no-resolve", help="Say at once that it is over.")] = True,
    json: Json = False,
) -> None:
    """Send a test alert through every channel of `[pager]` that takes its tier. Exit code 4 when one did not take it."""
    settings = settings_of(context)
    kinds = (Kind.FIRING, Kind.RESOLVED) if resolve else (Kind.FIRING,)
    with as_person(context, "pager test"):
        ways = [one for one in channels(settings.pager) if one.takes(tier)]
        if not ways:
            raise UsageError(
                f"pager: no channel takes a {tier}; set pager.webhook, pager.pagerduty_key_file or pager.slack_url_file"
            )
        told = [one for way in ways for one in _send(way, settings, tier, kinds)]
    if json:
        print(orjson.dumps({"told": [asdict(one) for one in told]}).decode())
    else:
        for one in told:
            print(f"{one.channel:<10} {one.kind:<9} {'taken' if one.taken else 'NOT TAKEN'} ({one.answer})")
    if failed := sorted({one.channel for one in told if not one.taken}):
        raise Unreachable(
            f"pager: {', '.join(failed)} did not take the test page; check its address, its secret and the way there"
        )


@app.command()
def show(context: typer.Context, *, json: Json = False) -> None:
    """List the alerts that stand and the messages that wait, with why. Exit code 1 while a message waits after a failure."""
    now_ms = int(SystemClock().now() * 1000)
    with _database(settings_of(context)) as engine:
        outbox = Outbox(engine, channels(settings_of(context).pager))
        standing, waiting = outbox.standing(), outbox.waiting()
    if json:
        print(
            orjson.dumps(
                {
                    "standing": [
                        {"key": key, "tier": one.finding.tier, "summary": one.finding.summary, "since_ms": one.since_ms}
                        for key, one in standing.items()
                    ],
                    "waiting": [
                        {
                            "channel": one.channel,
                            "key": one.notice.finding.key,
                            "kind": one.notice.kind,
                            "attempts": one.attempts,
                            "due_ms": one.due_ms,
                            "error": one.error,
                        }
                        for one in waiting
                    ],
                }
            ).decode()
        )
    else:
        for one in standing.values():
            print(
                f"{one.finding.tier:<7} {one.finding.summary} (for {words.span(max(now_ms - one.since_ms, 0) / 1000)})"
            )
        for letter in waiting:
            why = f": {letter.error}" if letter.error else ""
            print(
                f"waiting {letter.channel}: {letter.notice.finding.alert} {letter.notice.kind}, {letter.attempts} tries{why}"
            )
        if not standing and not waiting:
            print("no alert stands, and no message waits")
    if any(one.error for one in waiting):
        raise typer.Exit(1)


def _send(way: Channel, settings: Settings, tier: Tier, kinds: tuple[Kind, ...]) -> Iterator[Told]:
    now = int(SystemClock().now() * 1000)
    finding = Finding(
        TEST,
        tier,
        "test",
        (("pipeline", settings.pipeline.name),),
        "This is a test of Fairlane's pager",
        "Somebody ran `fairlane pager test`. Nothing is wrong.",
        "",
        "",
        settings.pager.owner,
    )
    episode = uuid4().hex
    poster = HttpPoster()
    try:
        for kind in kinds:
            notice = Notice(finding, episode, kind, now, now if kind is Kind.RESOLVED else None)
            try:
                answer = poster.post(way.request(notice))
                yield Told(way.name, str(kind), answer.taken, f"HTTP {answer.status}")
            except (Unreachable, ConfigError) as error:
                yield Told(way.name, str(kind), taken=False, answer=str(error))
    finally:
        poster.close()


@contextmanager
def _database(settings: Settings) -> Iterator[Engine]:
    engine = open_database(settings.database_url)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise Unreachable(f"the database cannot be read: {type(error).__name__}; check database.url") from error
    finally:
        engine.dispose()
