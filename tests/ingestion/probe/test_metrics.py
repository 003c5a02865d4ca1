"""The probe's catalogue."""

from prometheus_client import CollectorRegistry

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.probe.gauges import Gauges
from ingestion.probe.metrics import METRICS
from ingestion.probe.scout import Scout
from slo.clock import ManualClock


def test_everything_that_is_registered_is_catalogued_and_the_other_way_round() -> None:
    registry = CollectorRegistry()
    Gauges("p", registry)
    Scout(PipelineConfig(name="p"), KafkaConfig(bootstrap="127.0.0.1:1"), ManualClock(), registry, lambda _: True)
    registered = {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}
    assert registered == {metric.name for metric in METRICS}


def test_names_are_unique_and_ours() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("fairlane_") for name in names)
