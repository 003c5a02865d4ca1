"""PostHog's token bucket."""

import pytest

from isolator.simulate.rivals.bucket import Bucket, tuned
from tests.support.telling import drive, second, site


@pytest.mark.parametrize(
    ("records", "moved"),
    [
        # the bucket starts full: the first second refills nothing
        pytest.param(1_000.0, False, id="a burst of a thousand records passes"),
        pytest.param(1_001.0, True, id="one record more is rerouted"),
    ],
)
def test_a_burst(records: float, *, moved: bool) -> None:
    assert [o.move for _, o in drive(Bucket()(site()), [second(1, {3: records})])] == ([(3,)] if moved else [])


@pytest.mark.parametrize(
    ("rate", "at"),
    [
        pytest.param(100.0, None, id="a hundred a second never empty the bucket"),
        # 899 are left after the first second, and one less after each that follows
        pytest.param(101.0, 901, id="a hundred and one do after fifteen minutes"),
    ],
)
def test_a_lasting_rate(rate: float, at: int | None) -> None:
    orders = drive(Bucket()(site()), [second(t, {3: rate}) for t in range(1, 1_000)])
    assert [(t, o.move) for t, o in orders][:1] == ([] if at is None else [(at, (3,))])


def test_who_was_rerouted_comes_back_when_the_bucket_is_full_again() -> None:
    orders = drive(Bucket()(site()), [second(1, {3: 5_000}), *(second(t, {3: 10}) for t in range(2, 30))])
    assert [(o.move, o.restore) for _, o in orders] == [((3,), ()), ((), (3,))]
    # 90 a second net: 1000 less the last second's refill takes ten seconds
    assert orders[1][0] == pytest.approx(1 + 10, abs=1)


def test_nobody_flaps_while_it_floods() -> None:
    orders = drive(Bucket()(site()), [second(t, {3: 5_000}) for t in range(1, 300)])
    assert [(t, o.move, o.restore) for t, o in orders] == [(1, (3,), ())]


def test_each_token_has_a_bucket_of_its_own() -> None:
    orders = drive(Bucket()(site()), [second(1, {2: 900, 3: 1_200, 4: 900})])
    assert orders[0][1].move == (3,)


def test_the_tuned_bucket_lets_a_tenth_of_a_consumer_and_every_usual_tenant_pass() -> None:
    assert tuned(site(cost=1e-4)) == pytest.approx(1_000.0)
    assert tuned(site(rates={1: 4_000.0}, cost=1e-4)) == pytest.approx(6_000.0)
    whale = Bucket("tuned", None)(site(rates={1: 4_000.0}, cost=1e-4))
    assert drive(whale, [second(t, {1: 4_000}) for t in range(1, 100)]) == []
