"""Where people's wishes go: commands are sent through Kafka and answered by the pipeline's controller. Also how a request's body becomes a command."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from fairlane.auth.identity import current
from fairlane.durations import duration_s
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import Action, Command
from isolator import commands
from isolator.answers import Answer
from slo.clock import Clock
from slo.errors import UsageError

MOST_S: Final = 366 * 86_400.0
"""The longest time that an order may hold."""

Token = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=500)]
Name = Annotated[str, Field(max_length=100)]


class Desk(Protocol):
    """Takes commands."""

    def send(self, wanted: Command) -> Answer:
        """Carry it to the controller and wait for the answer.

        Raises NoController when none comes in time, Conflict or UsageError when it was refused, BrokerUnreachable when Kafka does not take it.
        """
        ...


class KafkaDesk:
    """Sends over `fairlane.telemetry`."""

    def __init__(self, kafka: Mapping[str, Any], wait_s: float | None = None) -> None:
        self._kafka = {**kafka, "log_level": 0}
        self._wait_s = wait_s

    def send(self, wanted: Command) -> Answer:
        """Carry it to the controller and wait for the answer, `commands.WAIT_S` by default."""
        return commands.send(self._kafka, wanted, self._wait_s)


class Order(BaseModel):
    """What every order may say. Unknown members are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline: Name = ""
    """Default: the first."""
    reason: Text = ""
    by: Name = ""
    """Who asks, where nobody has to say who they are; default: "web"."""


class TokenOrder(Order):
    """About one token, or the proposal about it (by its id)."""

    token: Token


class Lasting(TokenOrder):
    """An order that may end by itself."""

    hold: Annotated[str, Field(alias="for", max_length=20)] = ""
    """`90s`, `30m`, `2h`, `1d`."""
    expires: datetime | None = None
    """A moment with its zone instead of `for`."""


class MoveOrder(Lasting):
    """Move a token."""

    lane: Lane = Lane.OVERFLOW


class ModeOrder(Order):
    """Set the mode."""

    mode: Mode


class ChangeOrder(Order):
    """A deploy note: what was changed to what, and when (default: now)."""

    service: Name
    version: Name = ""
    note: Text = ""
    at: datetime | None = None


ORDERS: Final[Mapping[Action, type[Order]]] = {
    Action.MOVE: MoveOrder,
    Action.RESTORE: TokenOrder,
    Action.RESTORE_ALL: Order,
    Action.APPROVE: Lasting,
    Action.DECLINE: Lasting,
    Action.PROTECT: Lasting,
    Action.EXEMPT: Lasting,
    Action.CLEAR: TokenOrder,
    Action.MODE: ModeOrder,
}
"""What a person may do, and the body it takes. `change` has a path of its own."""


def command_of(pipeline: str, action: Action, order: Order, clock: Clock) -> Command:
    """The command that `order` asks for, by who is acting (else by whom the order names). Raises UsageError for a time that is no time, in the past or too far away."""
    who = current()
    by = who.name if who else order.by or "web"
    if isinstance(order, ChangeOrder):
        happened = None if order.at is None else int(_moment(order.at, "at").timestamp() * 1000)
        told = commands.command(pipeline, action, clock, by=by, reason=order.note or order.reason)
        return replace(told, service=order.service, version=order.version, happened_ms=happened)
    return commands.command(
        pipeline,
        action,
        clock,
        by=by,
        reason=order.reason,
        token=getattr(order, "token", ""),
        lane=order.lane if isinstance(order, MoveOrder) else None,
        mode=str(order.mode) if isinstance(order, ModeOrder) else "",
        for_s=_lasts_s(order, clock) if isinstance(order, Lasting) else None,
    )


def _lasts_s(order: Lasting, clock: Clock) -> float | None:
    if order.hold and order.expires is not None:
        raise UsageError("give `for` or `expires`, not both")
    lasts = duration_s(order.hold, "for")
    if order.expires is not None:
        lasts = _moment(order.expires, "expires").timestamp() - clock.now()
        if lasts <= 0:
            raise UsageError(f"expires {order.expires.isoformat()} is in the past")
    if lasts is not None and lasts > MOST_S:
        raise UsageError(
            "an order holds for at most 366 days: leave the time away to let it hold until it is taken back"
        )
    return lasts


def _moment(given: datetime, name: str) -> datetime:
    if given.tzinfo is None:
        raise UsageError(f"{name} needs its zone, such as 2026-10-21T14:00:00Z")
    try:
        return given.astimezone(UTC)
    except OverflowError as error:
        raise UsageError(f"{name} {given.isoformat()} is beyond what a calendar holds") from error
