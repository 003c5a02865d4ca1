"""The whole examination, in the order in which a person would ask."""

from collections.abc import Callable, Iterator

from confluent_kafka import KafkaException

from fairlane.doctor import cluster, machine, trial
from fairlane.settings import Settings
from fairlane.stack import running
from ingestion.config import KafkaConfig
from ingestion.lanes.topic_laws import Finding, Level
from ingestion.lanes.topics import check_topics
from slo.clock import Clock
from slo.errors import BrokerUnreachable


def examine(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Findings as they are made. An unreachable cluster ends it: raises BrokerUnreachable after what could be seen without one."""
    yield from machine.state_directory(settings)
    yield from machine.handler(settings)
    yield from machine.database(settings)
    kafka = settings.kafka
    if settings.local:
        yield from machine.local_kafka()
        now = running.find(settings.state_dir)
        if now is None:
            return
        kafka = KafkaConfig(bootstrap=now.bootstrap)
    yield from _cluster(settings, kafka, clock)


def _cluster(settings: Settings, kafka: KafkaConfig, clock: Clock) -> Iterator[Finding]:
    client, apis = cluster.connect(kafka)
    pipeline, local = settings.pipeline, settings.local
    yield Finding(Level.OK, f"kafka.bootstrap {kafka.bootstrap}", "answers")
    yield from cluster.version(apis)
    looks: tuple[tuple[str, Callable[[], list[Finding]]], ...] = (
        ("brokers", lambda: cluster.brokers(client, pipeline, local=local)),
        ("broker settings", lambda: cluster.limits(client, pipeline, local=local)),
        ("topics", lambda: [soften(one) for one in check_topics(client, pipeline, local=local)]),
        ("rights", lambda: cluster.rights(client, pipeline)),
        ("transactions", lambda: trial.transaction(client, kafka, clock, pipeline.slo_s)),
    )
    for name, look in looks:
        try:
            yield from look()
        except (KafkaException, BrokerUnreachable) as error:
            yield Finding(
                Level.FAIL,
                name,
                f"could not be looked at: {error}",
                "run `fairlane doctor` again when the cluster is steady",
            )


def soften(finding: Finding) -> Finding:
    """Before first use a topic that does not exist is no defect: it will be made."""
    if finding.level is Level.FAIL and finding.what == "does not exist":
        return Finding(Level.WARN, finding.where, "does not exist yet", finding.fix)
    return finding
