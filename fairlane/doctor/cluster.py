"""What the doctor sees of a Kafka cluster without changing it: who answers, which version, which rights, which limits."""

import logging
import re
import time
from collections.abc import Iterable
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient, ConfigResource, ResourceType

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC, Lane
from ingestion.lanes.topic_laws import LEAST_REPLICATION, Finding, Level
from ingestion.lanes.topics import unreachable

TIMEOUT_S: Final = 10.0
_PRODUCE: Final = {7: "2.1", 8: "2.4", 9: "2.8", 10: "3.7", 11: "3.8", 12: "4.0", 13: "4.1"}
"""Highest Produce version that a broker takes to the Kafka that brought it."""
_TXN_OFFSET_COMMIT: Final = 3
"""Brings the group's generation into a transaction (KIP-447, Kafka 2.5): what fences a worker that lost its partitions."""
_API: Final = re.compile(r"ApiKey (\w+) \(\d+\) Versions (\d+)\.\.(\d+)")


class _Listening(logging.Handler):
    """Keeps librdkafka's feature log, which alone tells the broker's API versions."""

    def __init__(self) -> None:
        super().__init__()
        self.apis: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        for name, _, highest in _API.findall(record.getMessage()):
            self.apis[name] = int(highest)


def connect(kafka: KafkaConfig) -> tuple[AdminClient, dict[str, int]]:
    """A client that has reached the cluster, and the highest version of each API that the broker takes. Raises BrokerUnreachable."""
    listening = _Listening()
    ear = logging.Logger("fairlane.doctor.librdkafka", logging.DEBUG)  # noqa: LOG001 - a private one, apart from the tree
    ear.addHandler(listening)
    client = AdminClient({**kafka.client(), "debug": "feature", "log_level": 7}, logger=ear)
    try:
        client.list_topics(timeout=TIMEOUT_S)
    except KafkaException as error:
        raise unreachable(error) from error
    deadline = time.monotonic() + 2
    while "TxnOffsetCommit" not in listening.apis and time.monotonic() < deadline:
        client.poll(0.1)
    return client, listening.apis


def version(apis: dict[str, int]) -> list[Finding]:
    """Is the broker new enough? Pure."""
    if not apis:
        return [Finding(Level.WARN, "broker version", "could not be told", "use Kafka 2.5 or newer")]
    newest = max((have for have in _PRODUCE if have <= apis.get("Produce", 0)), default=None)
    name = f"Kafka {_PRODUCE[newest]} or newer" if newest is not None else "older than Kafka 2.1"
    if apis.get("TxnOffsetCommit", -1) < _TXN_OFFSET_COMMIT:
        what = f"is {name}: it cannot fence a worker that lost its partitions inside a transaction (KIP-447)"
        return [Finding(Level.FAIL, "broker version", what, "use Kafka 2.5 or newer")]
    return [Finding(Level.OK, "broker version", name)]


def brokers(client: AdminClient, pipeline: PipelineConfig, *, local: bool) -> list[Finding]:
    """Are there enough brokers for the replication that is asked for?"""
    count = len(client.list_topics(timeout=TIMEOUT_S).brokers)
    need = 1 if local else max(pipeline.replication, LEAST_REPLICATION)
    if count < need:
        what = f"{count} for pipeline.replication = {need}: topics cannot be made, or one loss loses data"
        return [Finding(Level.FAIL, "brokers", what, f"run {need} brokers or more")]
    return [Finding(Level.OK, "brokers", f"{count}")]


def rights(client: AdminClient, pipeline: PipelineConfig) -> list[Finding]:
    """What the account may do, as the brokers themselves say; without an authorizer that is everything."""
    try:
        cluster = _names(
            client.describe_cluster(include_authorized_operations=True, request_timeout=TIMEOUT_S)
            .result(TIMEOUT_S)
            .authorized_operations
        )
        there = client.list_topics(timeout=TIMEOUT_S).topics
        names = [*(pipeline.names.topic(lane) for lane in Lane), pipeline.names.dead, TELEMETRY_TOPIC, STATE_TOPIC]
        present = [name for name in names if name in there]
        allowed: dict[str, set[str]] = {}
        if present:
            described = client.describe_topics(
                TopicCollection(present), include_authorized_operations=True, request_timeout=TIMEOUT_S
            )
            allowed = {
                name: _names(future.result(TIMEOUT_S).authorized_operations) for name, future in described.items()
            }
    except (KafkaException, FutureTimeout, TypeError) as error:
        return [
            Finding(
                Level.WARN,
                "rights",
                f"could not be told: {error}",
                "allow the account DESCRIBE on the cluster and on the pipeline's topics",
            )
        ]
    return judge_rights(cluster, allowed, pipeline)


def judge_rights(cluster: set[str], topics: dict[str, set[str]], pipeline: PipelineConfig) -> list[Finding]:
    """Hold the allowed operations (by name) against what the roles need. Pure. `topics` holds the topics that exist."""
    found: list[Finding] = []
    for topic, have in topics.items():
        need = {"READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"}
        if topic in {pipeline.names.topic(lane) for lane in Lane if lane is not Lane.GENERAL}:
            need = need | {"DELETE"}  # DeleteRecords: handled records of the side lanes are trimmed
        if lacking := sorted(need - have):
            grants = " ".join(f"--operation {name.title().replace('_', '')}" for name in lacking)
            fix = (
                f"kafka-acls.sh --bootstrap-server BOOTSTRAP --add --allow-principal User:YOU {grants} --topic {topic}"
            )
            found.append(Finding(Level.FAIL, f"rights on topic {topic}", f"lack {', '.join(lacking)}", fix))
    if "CREATE" not in cluster and len(topics) < 6:
        fix = "make the missing topics by hand (their findings hold the commands), or allow CREATE on the cluster"
        found.append(Finding(Level.WARN, "rights on the cluster", "lack CREATE, and not all topics exist", fix))
    return found or [Finding(Level.OK, "rights", f"suffice on the cluster and on {len(topics)} topics")]


def limits(client: AdminClient, pipeline: PipelineConfig, *, local: bool) -> list[Finding]:
    """Broker settings that the workers' transactions run into."""
    some = next(iter(client.list_topics(timeout=TIMEOUT_S).brokers), None)
    try:
        (future,) = client.describe_configs(
            [ConfigResource(ResourceType.BROKER, str(some))], request_timeout=TIMEOUT_S
        ).values()
        config = {name: str(entry.value) for name, entry in future.result(TIMEOUT_S).items()}
    except (KafkaException, FutureTimeout, ValueError) as error:
        return [
            Finding(
                Level.WARN,
                "broker settings",
                f"could not be read: {error}",
                "allow DESCRIBE_CONFIGS on the cluster to have them checked",
            )
        ]
    return judge_limits(config, pipeline, local=local)


def judge_limits(config: dict[str, str], pipeline: PipelineConfig, *, local: bool) -> list[Finding]:
    """Hold a broker's settings against the pipeline's. Pure. A setting that the broker does not tell is taken as good."""
    found: list[Finding] = []
    longest = _number(config, "transaction.max.timeout.ms", 900_000)
    if longest < pipeline.transaction_timeout_s * 1000:
        what = f"is {longest}: less than pipeline.transaction_timeout_s ({pipeline.transaction_timeout_s:g} s)"
        found.append(
            Finding(
                Level.FAIL,
                "broker transaction.max.timeout.ms",
                what,
                "raise it, or lower pipeline.transaction_timeout_s",
            )
        )
    shortest, most = (
        _number(config, "group.min.session.timeout.ms", 6_000),
        _number(config, "group.max.session.timeout.ms", 1_800_000),
    )
    if not shortest <= pipeline.session_timeout_s * 1000 <= most:
        what = f"allow {shortest} to {most} ms, pipeline.session_timeout_s is {pipeline.session_timeout_s:g} s"
        found.append(
            Finding(Level.FAIL, "broker group.*.session.timeout.ms", what, "set pipeline.session_timeout_s inside it")
        )
    for key in ("transaction.state.log.replication.factor", "offsets.topic.replication.factor"):
        if not local and (have := _number(config, key, 3)) < LEAST_REPLICATION:
            what = f"is {have}: losing one broker could lose offsets or open transactions"
            found.append(
                Finding(
                    Level.FAIL,
                    f"broker {key}",
                    what,
                    f"set it to 3 and give the internal topic 3 replicas (it was made with {have})",
                )
            )
    return found or [Finding(Level.OK, "broker settings", "allow the workers' transactions and sessions")]


def _number(config: dict[str, str], key: str, default: int) -> int:
    try:
        return int(config.get(key, default))
    except ValueError:
        return default


def _names(operations: Iterable[Any] | None) -> set[str]:
    return {
        AclOperation(operation).name if not hasattr(operation, "name") else str(operation.name)
        for operation in operations or ()
    }
