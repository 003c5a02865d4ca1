"""The controller's gauges: only the owner of a pipeline speaks of it."""

from prometheus_client import CollectorRegistry

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from isolator.brain import Brain
from isolator.constants import Policy
from isolator.gauges import Gauges
from isolator.state import StateView
from tests.support.fluid import Source, World, background

POLICY = Policy(warm_s=15.0, calm_s=20.0)


def test_a_former_owner_holds_no_alert_up() -> None:
    flood = Source("flood", lambda t: 2500.0 if t >= 22 else 0.0, lambda _t: 1e-3, tuple(range(12)), 2000)
    world = World(POLICY, [*background(100, 500.0, 12), flood])
    brain = Brain(StateView("p"), POLICY, Mode.AUTO)
    world.observer = brain.observer
    registry = CollectorRegistry()
    gauges = Gauges(registry)
    gauges.owns(("p", "q"), ("p",))
    for _ in range(8):
        for _ in range(5):
            world.second()
        brain.tick(world.ms)
        gauges.ticked(brain, 0.01, world.ms / 1000)
    moved = {"pipeline": "p", "lane": str(Lane.QUARANTINE)}
    assert registry.get_sample_value("fairlane_isolator_moved_tokens", moved) == 1.0
    gauges.owns(("p", "q"), ())
    left = {s.name for family in registry.collect() for s in family.samples if s.labels.get("pipeline") == "p"}
    assert not {name for name in left if "_tick_duration_" not in name} - {"fairlane_isolator_owned"}
    assert registry.get_sample_value("fairlane_isolator_owned", {"pipeline": "p"}) == 0.0
    gauges.owns(("p", "q"), ("p",))
    gauges.ticked(brain, 0.01, world.ms / 1000)
    assert registry.get_sample_value("fairlane_isolator_moved_tokens", moved) == 1.0
