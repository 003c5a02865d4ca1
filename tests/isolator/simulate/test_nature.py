"""What runs that are compared share, and what they may save."""

from dataclasses import replace

import numpy as np
import pytest

from isolator.simulate.nature import SKETCHES, Nature
from isolator.simulate.rivals import RIVALS
from isolator.simulate.run import play, play_plan, scenario_named
from isolator.simulate.settings import Settings

SMALL = Settings(partitions=4, slots=2, tokens=400, rate=200.0)


def test_a_kept_draw_is_the_draw_and_nobody_can_spoil_it() -> None:
    plan = scenario_named("one_flood").plan(SMALL, 1)
    kept, fresh = Nature(plan, SMALL, 1, keep=True), Nature(plan, SMALL, 1)
    for at_s, span_s in ((0.0, 5.0), (5.0, 1.0), (0.0, 5.0), (5.0, 5.0)):
        one, other = kept.arrivals.draw(at_s, span_s), fresh.arrivals.draw(at_s, span_s)
        for name in ("token", "partition", "events", "top_key"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        one.events[:] = -1.0
    assert (kept.arrivals.draw(0.0, 5.0).events > 0).all()
    assert kept.sketches == fresh.sketches
    assert len(set(kept.sketches)) == SKETCHES


@pytest.mark.parametrize("rule", ["none", "SQS fair queues", "token bucket"])
def test_a_shared_nature_changes_no_result(rule: str) -> None:
    scenario, settings = scenario_named("one_flood"), replace(SMALL, hours=0.1)
    plan = scenario.plan(settings, 2)
    nature = Nature(plan, settings, 2, keep=True)
    alone = play("one_flood", 2, RIVALS[rule], settings)
    for _ in range(2):
        again = play_plan("one_flood", scenario.kind, plan, 2, RIVALS[rule], settings, nature)
        assert again == alone


def test_coarse_steps_after_calm_change_nothing_that_happened_before_it() -> None:
    fine = play("one_flood", 1, RIVALS["SQS fair queues"], SMALL)
    coarse = play("one_flood", 1, RIVALS["SQS fair queues"], replace(SMALL, fine_after_s=1.0))
    early = [e for e in fine.events if e.at_s < fine.calm_s]
    assert early
    assert [e for e in coarse.events if e.at_s < coarse.calm_s] == early
    assert coarse.measures.late_ratio == pytest.approx(fine.measures.late_ratio, rel=0.02, abs=1e-4)
    assert coarse.measures.decide_s == fine.measures.decide_s
    # a step of five seconds at most
    assert coarse.measures.restore_s == pytest.approx(fine.measures.restore_s, abs=10.0)
