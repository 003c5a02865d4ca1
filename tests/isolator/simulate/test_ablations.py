"""Ours with parts taken away."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from isolator.constants import Policy
from isolator.simulate.ablations import ABLATIONS, Maimed, Without, levelled
from isolator.simulate.contender import Maker
from slo.errors import ConfigError
from tests.support.telling import second, site

NAMED = [pytest.param(name, maker, id=name) for name, maker in ABLATIONS.items()]


def test_there_is_one_for_each_part() -> None:
    parts = {name.removeprefix("ours without ") for name in ABLATIONS}
    assert parts == {"gate", "work", "guard", "back-off", "verify", "backlog move"}


@pytest.mark.parametrize(("name", "maker"), NAMED)
def test_an_ablation_carries_its_name_into_other_processes(name: str, maker: Maker) -> None:
    assert pickle.loads(pickle.dumps(maker))(site()).name == name


@pytest.mark.parametrize(("name", "maker"), NAMED)
def test_an_ablation_differs_from_ours_in_what_it_says(name: str, maker: Maker) -> None:
    if isinstance(maker, Without):
        changed = {field for field, value in maker.constants if getattr(Policy(), field) != value}
        assert changed == {field for field, _ in maker.constants}
        assert changed or not maker.moves_backlog


def test_a_maimed_policy_is_refused_where_it_is_not_asked_for() -> None:
    with pytest.raises(ConfigError):
        Policy(gate_delay_share=0.1, restore_delay_share=0.2)
    assert Maimed(gate_delay_share=0.1, restore_delay_share=0.2).gate_delay_share == 0.1


def test_levelled_work_is_shared_by_records_and_adds_up() -> None:
    report = second(1, {}, handled={1: 30.0, 2: 10.0}, forwarded={1: 5.0}, work={1: 0.03, 2: 0.6}, other=60.0).workers[
        0
    ]
    level = levelled(replace(report, in_flight=((2, 0, 12.0),)))
    total = 0.03 + 0.6 + 0.06
    assert level.work_s == pytest.approx([total * 0.3, total * 0.1])
    assert level.other_work_s == pytest.approx([total * 0.6])
    assert level.in_flight == ()
    assert np.array_equal(level.records, report.records)


def test_a_report_of_nothing_stays_one() -> None:
    assert levelled(second(1, {}).workers[0]).work_s.tolist() == []
