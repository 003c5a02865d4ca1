"""What rivals may know."""

import numpy as np
import pytest

from isolator.simulate.rivals.foundationdb import TagThrottling
from isolator.simulate.rivals.sqs import FairQueues
from isolator.simulate.rivals.tally import Tally
from tests.support.telling import drive, second, site


def told(*reports: object) -> Tally:
    tally = Tally(site())
    for report in reports:
        tally.see(report)  # type: ignore[arg-type]
    return tally


def test_waiting_is_what_arrived_less_what_general_took() -> None:
    tally = told(
        second(1, {3: 100.0}),
        second(2, {}, handled={3: 20.0}, forwarded={3: 50.0}, overflow={3: 10.0}),
    )
    assert tally.waiting[0, 3] == 30.0


def test_a_forwarded_record_is_handled_once_where_it_went() -> None:
    tally = told(second(1, {}, handled={3: 20.0}, forwarded={3: 50.0}, overflow={3: 10.0}))
    ids, records, _ = tally.take().handled.by_token()
    assert (ids.tolist(), records.tolist()) == ([3], [30.0])
    assert tally.take().handled.by_token()[0].tolist() == []


def test_what_was_handled_without_having_been_told_of_is_not_a_debt() -> None:
    tally = told(second(1, {}, handled={3: 20.0}), second(2, {3: 5.0}))
    assert tally.waiting[0, 3] == 5.0


def test_a_record_that_a_backfill_stamped_long_ago_has_not_waited_since() -> None:
    tally = told(*(second(t, {3: 100.0}, handled={3: 100.0}, ages=[7_200.0, 0.0], lags=[200, 0]) for t in range(1, 40)))
    assert tally.delay_s()[0] == pytest.approx(2.0, rel=0.01)


def test_a_partition_from_which_nothing_is_taken_is_as_late_as_its_oldest_record() -> None:
    tally = told(second(1, {3: 100.0}, ages=[12.0, 0.0], lags=[100, 0]))
    assert tally.delay_s().tolist() == [12.0, 0.0]


def test_the_cost_of_a_record_moves_from_the_usual_one_to_the_measured_one() -> None:
    tally = told(*(second(t, {}, handled={3: 100.0}, work={3: 5.0}) for t in range(1, 10)))
    assert tally.cost(np.array([3, 4])) == pytest.approx([0.05, 0.001], rel=0.01)


def test_who_is_not_told_apart_counts_in_the_shares() -> None:
    late = [4.0, 0.0]
    alone = [second(t, {1: 50.0}, handled={1: 50.0}, ages=late) for t in range(1, 10)]
    crowd = [second(t, {1: 50.0}, handled={1: 50.0}, ages=late, other=451.0) for t in range(1, 10)]
    assert drive(FairQueues(site()), alone)
    assert drive(FairQueues(site()), crowd) == []


def test_a_tag_is_busy_by_its_share_of_everybody() -> None:
    alone = [second(t, {1: 50.0}, ages=[9.0, 0.0]) for t in range(1, 20)]
    crowd = [second(t, {1: 50.0}, ages=[9.0, 0.0], other=451.0) for t in range(1, 20)]
    nobody = [second(t, {}, ages=[9.0, 0.0], other=451.0) for t in range(1, 20)]
    assert drive(TagThrottling(site()), alone)
    assert drive(TagThrottling(site()), crowd) == []
    assert drive(TagThrottling(site()), nobody) == []
