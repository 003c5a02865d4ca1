"""The topics of a pipeline at the broker: made when missing, read, and refused when `topic_laws` says so."""

import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from ingestion.config import PipelineConfig
from ingestion.lanes.topic_laws import Finding, Level, Topic, judge, judge_config, missing, wanted
from slo.errors import BrokerUnreachable, RefusedTopic

_TIMEOUT_S: Final = 15.0


def ensure_topics(admin: AdminClient, pipeline: PipelineConfig, *, local: bool) -> None:
    """Create what is missing, then check everything. Safe to call from several processes at once.

    Raises RefusedTopic with every reason (nothing is created when the configuration itself is refused), BrokerUnreachable when Kafka does not answer.
    """
    _refuse(judge_config(pipeline, local=local))
    have = read_topics(admin, (topic.name for topic in wanted(pipeline, local=local)))
    absent = [topic for topic in wanted(pipeline, local=local) if topic.name not in have]
    if absent:
        _refuse(_create(admin, absent))
        have = _wait_for(admin, [topic.name for topic in wanted(pipeline, local=local)])
    _refuse(judge(pipeline, have, local=local))


def check_topics(admin: AdminClient, pipeline: PipelineConfig, *, local: bool) -> list[Finding]:
    """What `ensure_topics` would say, as findings, without changing anything. Raises BrokerUnreachable when Kafka does not answer."""
    have = read_topics(admin, (topic.name for topic in wanted(pipeline, local=local)))
    return [*judge_config(pipeline, local=local), *judge(pipeline, have, local=local)]


def read_topics(admin: AdminClient, names: Iterable[str]) -> dict[str, Topic]:
    """Those of the named topics that exist, with their effective settings. Raises BrokerUnreachable when Kafka does not answer."""
    try:
        there = admin.list_topics(timeout=_TIMEOUT_S).topics
        shapes = {name: there[name] for name in names if name in there and there[name].error is None}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in shapes]
        answers = admin.describe_configs(resources, request_timeout=_TIMEOUT_S) if resources else {}
        configs = {
            resource.name: {k: str(e.value) for k, e in future.result(timeout=_TIMEOUT_S).items()}
            for resource, future in answers.items()
        }
    except (KafkaException, TimeoutError) as error:
        raise unreachable(error) from error
    return {
        name: Topic(
            name,
            len(shape.partitions),
            min((len(p.replicas) for p in shape.partitions.values()), default=0),
            configs.get(name, {}),
        )
        for name, shape in shapes.items()
    }


def unreachable(error: BaseException) -> BrokerUnreachable:
    """The error to show when Kafka does not answer."""
    first = error.args[0] if error.args else error
    reason = first.str() if isinstance(first, KafkaError) else str(error) or type(error).__name__
    return BrokerUnreachable(
        f"Kafka does not answer: {reason}. Check kafka.bootstrap, the network between, and `fairlane doctor`."
    )


def _refuse(findings: Iterable[Finding]) -> None:
    failed = [finding for finding in findings if finding.level is Level.FAIL]
    if failed:
        raise RefusedTopic(
            "refused to start, because records could be lost or reordered:\n"
            + "\n".join(f"  - {finding}" for finding in failed)
        )


def _create(admin: AdminClient, topics: Iterable[Topic]) -> list[Finding]:
    new = {topic.name: topic for topic in topics}
    requests = [
        NewTopic(t.name, num_partitions=t.partitions, replication_factor=t.replication, config=dict(t.config))
        for t in new.values()
    ]
    answers: dict[str, Future[Any]] = admin.create_topics(
        requests, operation_timeout=_TIMEOUT_S, request_timeout=_TIMEOUT_S
    )
    found: list[Finding] = []
    for name, future in answers.items():
        try:
            future.result(timeout=2 * _TIMEOUT_S)
        except TimeoutError as error:
            raise unreachable(error) from error
        except KafkaException as error:
            problem: KafkaError = error.args[0]
            if problem.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            # negative codes are the client's own: no broker answered
            if problem.code() < 0 or problem.code() == KafkaError.REQUEST_TIMED_OUT:
                raise unreachable(error) from error
            found.append(
                Finding(Level.FAIL, f"topic {name}", f"could not be created: {problem.str()}", missing(new[name]).fix)
            )
    return found


def _wait_for(admin: AdminClient, names: list[str]) -> dict[str, Topic]:
    """The named topics once all have leaders: creation is answered before every broker knows."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            there = admin.list_topics(timeout=_TIMEOUT_S).topics
        except KafkaException as error:
            raise unreachable(error) from error
        led = [
            name
            for name in names
            if name in there and there[name].partitions and all(p.leader >= 0 for p in there[name].partitions.values())
        ]
        if len(led) == len(names):
            return read_topics(admin, names)
        if time.monotonic() > deadline:
            raise BrokerUnreachable(
                f"Kafka made no leader for {', '.join(sorted(set(names) - set(led)))} within {_TIMEOUT_S:.0f} s: look at its brokers"
            )
        time.sleep(0.05)
