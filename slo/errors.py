"""Every error that a user can meet, as one tree.

    FairlaneError                       exit 1  500
     +- UsageError                      exit 2  400   the request or command cannot be understood
     |   +- ConfigError                 exit 2  400   a setting is unknown, mistyped or impossible
     |   +- InvalidEvent                exit 2  422   an event breaks the capture contract
     |   +- BodyTooLarge                exit 2  413
     |   +- BodyTooSlow                 exit 2  408
     |   +- UnsupportedMedia            exit 2  415
     |   +- UnknownToken                exit 2  401
     |   +- Unauthenticated             exit 2  401   nobody knows who asks
     +- Forbidden                       exit 1  403   who asks may not
     +- NotFound                        exit 1  404   what was asked for is not there
     +- Conflict                        exit 1  409   allowed in general, not now
     +- TooManyRequests                 exit 1  429
     +- RefusedTopic                    exit 1  500   a topic would lose or reorder records
     +- KafkaRefused                    exit 1  500   Kafka refuses this process for good
     +- HandlerError                    exit 1  500   the user's handler breaks its contract
     +- StateDirectoryError             exit 1  500   the state directory cannot be used
     +- AuditBroken                     exit 1  500   the audit log was changed
     +- BudgetError                     exit 3  409   the error budget forbids it
     +- Unreachable                     exit 4  503   a service that is needed does not answer
         +- BrokerUnreachable           exit 4  503
         +- StackUnavailable            exit 4  503   the local Kafka cannot be had or started
         +- NoController                exit 4  503   nobody answered a command

The message says what is wrong, where, and what to do. `problem` is the last part of the RFC 9457 type, `exit_code` the CLI's answer, `status` HTTP's.
"""

from typing import ClassVar


class FairlaneError(Exception):
    """Something went wrong that a person has to know about."""

    problem: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500

    @property
    def title(self) -> str:
        """What kind of error this is: the first line of the class's docstring."""
        return (type(self).__doc__ or "").strip().splitlines()[0]


class UsageError(FairlaneError):
    """The request or command cannot be understood."""

    problem = "usage"
    exit_code = 2
    status = 400


class ConfigError(UsageError):
    """A setting is unknown, mistyped or impossible."""

    problem = "config"


class InvalidEvent(UsageError):
    """An event breaks the capture contract."""

    problem = "invalid-event"
    status = 422


class BodyTooLarge(UsageError):
    """The request body is larger than the limit."""

    problem = "body-too-large"
    status = 413


class BodyTooSlow(UsageError):
    """The request body did not come in time."""

    problem = "body-too-slow"
    status = 408


class UnsupportedMedia(UsageError):
    """The request body is not JSON."""

    problem = "unsupported-media"
    status = 415


class UnknownToken(UsageError):
    """No project key was given, or it is not known."""

    problem = "unknown-token"
    status = 401


class Unauthenticated(UsageError):
    """Who asks is not known."""

    problem = "unauthenticated"
    status = 401


class Forbidden(FairlaneError):
    """Who asks may not do this."""

    problem = "forbidden"
    status = 403


class NotFound(FairlaneError):
    """What was asked for is not there."""

    problem = "not-found"
    status = 404


class Conflict(FairlaneError):
    """The request is allowed in general, but not in the present state."""

    problem = "conflict"
    status = 409


class TooManyRequests(FairlaneError):
    """The limit for this token or process is reached."""

    problem = "too-many-requests"
    status = 429


class RefusedTopic(FairlaneError):
    """A topic's settings would lose or reorder records."""

    problem = "refused-topic"


class KafkaRefused(FairlaneError):
    """Kafka refuses this process, and waiting does not mend it."""

    problem = "kafka-refused"


class HandlerError(FairlaneError):
    """The handler breaks its contract."""

    problem = "handler"


class StateDirectoryError(FairlaneError):
    """The state directory cannot be used."""

    problem = "state-directory"


class AuditBroken(FairlaneError):
    """The audit log is not what was written."""

    problem = "audit-broken"


class BudgetError(FairlaneError):
    """The error budget forbids it."""

    problem = "budget"
    exit_code = 3
    status = 409


class Unreachable(FairlaneError):
    """A service that is needed does not answer."""

    problem = "unreachable"
    exit_code = 4
    status = 503


class BrokerUnreachable(Unreachable):
    """Kafka does not answer."""

    problem = "broker-unreachable"


class StackUnavailable(Unreachable):
    """The local Kafka cannot be had or started."""

    problem = "stack-unavailable"


class NoController(Unreachable):
    """Nobody answered the command."""

    problem = "no-controller"
