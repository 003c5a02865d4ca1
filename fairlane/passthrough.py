"""librdkafka properties under `kafka.`: from dotted, quoted or environment form to what the client takes, and those that are ours alone."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from ingestion.config import KafkaConfig

_UNDERSCORED: Final = ("log_level", "ssl_engine")
"""librdkafka names that have an underscore of their own."""
OURS: Final[dict[str, str]] = {
    "acks": "acks is always all: an event is acknowledged only when every in-sync replica has it",
    "request.required.acks": "acks is always all: an event is acknowledged only when every in-sync replica has it",
    "enable.idempotence": "producers are always idempotent",
    "isolation.level": "consumers always read committed",
    "enable.auto.commit": "offsets are committed in the worker's transaction",
    "auto.offset.reset": "a lane never resets its offsets silently",
    "transactional.id": "it belongs to the worker's slot: set worker.slot",
    "group.id": "it belongs to the lane: set pipeline.name",
    "bootstrap.servers": "write it as kafka.bootstrap",
    "metadata.broker.list": "write it as kafka.bootstrap",
    "transaction.timeout.ms": "set pipeline.transaction_timeout_s",
    "session.timeout.ms": "set pipeline.session_timeout_s",
}
"""Properties that the delivery promise rests on, with why or where they are set instead."""
_COMMON: Final = (
    "security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password", "sasl.oauthbearer.config", "sasl.oauthbearer.method",
    "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.token.endpoint.url", "sasl.kerberos.service.name",
    "sasl.kerberos.principal", "sasl.kerberos.keytab", "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password",
    "ssl.endpoint.identification.algorithm", "ssl.keystore.location", "ssl.keystore.password", "enable.ssl.certificate.verification", "client.id",
    "client.rack", "debug", "log_level", "socket.timeout.ms", "socket.keepalive.enable", "socket.connection.setup.timeout.ms", "linger.ms",
    "compression.type", "batch.size", "message.max.bytes", "fetch.wait.max.ms", "broker.address.family", "statistics.interval.ms",
    "reconnect.backoff.ms", "reconnect.backoff.max.ms", "connections.max.idle.ms", "metadata.max.age.ms", "message.timeout.ms", "delivery.timeout.ms",
)  # fmt: skip


def flatten(raw: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`raw` with nested tables as dotted names, and `_` (as the environment writes it) as dots in what is not ours.

    >>> flatten({"bootstrap": "b:9092", "security": {"protocol": "SSL"}, "sasl_username": "u"})
    {'bootstrap': 'b:9092', 'security.protocol': 'SSL', 'sasl.username': 'u'}
    """
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        name = prefix + key
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        elif name in KafkaConfig.model_fields or name in _UNDERSCORED:
            flat[name] = value
        else:
            flat[name.replace("_", ".")] = value if not isinstance(value, bool) else str(value).lower()
    return flat


def problems(kafka: KafkaConfig) -> list[tuple[str, str]]:
    """(property, what is wrong) of every pass-through property that is ours, or that librdkafka does not take."""
    extra = kafka.model_extra or {}
    found = [(name, f"cannot be set: {OURS[name]}") for name in extra if name in OURS]
    rest = {name: value for name, value in extra.items() if name not in OURS}
    for name in [name for name, value in rest.items() if not isinstance(value, (str, int, float))]:
        found.append((name, "must be text, a number, true or false"))
        del rest[name]
    while reason := _refusal(rest):
        name = next((name for name in rest if f'"{name}"' in reason), "")
        near = get_close_matches(name, _COMMON, 1, 0.7)
        found.append((name, reason + (f"; did you mean {near[0]}?" if near else "")))
        if not name:
            break
        del rest[name]
    return found


def _refusal(properties: Mapping[str, Any]) -> str:
    """What librdkafka says against these properties, "" when it takes them. Nothing is connected: there is no broker to connect to."""
    from confluent_kafka import KafkaException, Producer

    if not properties:
        return ""
    try:
        Producer({**properties, "log_level": 0})
    except (KafkaException, TypeError, ValueError) as error:
        first = error.args[0] if error.args else error
        return str(first.str() if hasattr(first, "str") else first)
    return ""
