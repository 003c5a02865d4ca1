"""What every rival promises: it can be sent to another process, it is deterministic, and it moves only whom it has not moved yet."""

import pickle
from random import Random

import pytest

from isolator.simulate.contender import Maker, Reports
from isolator.simulate.rivals import RIVALS
from tests.support.telling import drive, second, site

NAMED = [pytest.param(name, maker, id=name) for name, maker in RIVALS.items()]


def storm() -> list[Reports]:
    random = Random(5)
    reports = []
    for t in range(1, 900):
        rates = {i: float(random.randrange(40)) for i in range(20)}
        if 100 < t < 400:
            rates[7] += 3_000.0
        age = 25.0 if 110 < t < 300 else 0.0
        handled = {i: n / (3.0 if 100 < t < 400 else 1.0) for i, n in rates.items()}
        work = {7: 15.0} if 100 < t < 400 else {}
        reports.append(second(t, rates, handled=handled, work=work, ages=[age, 0.0], lags=[age * 1_000, 0]))
    return reports


@pytest.mark.parametrize(("name", "maker"), NAMED)
def test_a_rival_carries_its_name_into_other_processes(name: str, maker: Maker) -> None:
    assert pickle.loads(pickle.dumps(maker))(site()).name == name


@pytest.mark.parametrize(("name", "maker"), NAMED)
def test_the_same_telemetry_gives_the_same_orders(name: str, maker: Maker) -> None:
    first, again = drive(maker(site()), storm()), drive(maker(site()), storm())
    assert first == again
    assert bool(first) is (name != "none")


@pytest.mark.parametrize(("name", "maker"), NAMED)
def test_orders_alternate_for_each_token(name: str, maker: Maker) -> None:
    away: set[int] = set()
    for _, order in drive(maker(site()), storm()):
        assert not away & set(order.move)
        away |= set(order.move)
        assert set(order.restore) <= away
        away -= set(order.restore)
