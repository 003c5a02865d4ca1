from collections import Counter

import pytest

from fairlane.demo.load import Population, SceneLoad, batches
from fairlane.demo.scenes import SCENES, SceneName


def shape(events):
    return [(e.token, e.distinct_id, e.cost_ms) for e in events]


@pytest.mark.parametrize("name", list(SceneName))
def test_the_same_seed_gives_the_same_load_and_another_seed_another(name):
    scene = SCENES[name]
    first, again, other = (SceneLoad(scene, Population(500, seed), seed) for seed in (7, 7, 8))
    assert shape(first.background(5)) == (same := shape(again.background(5)))
    assert same
    assert shape(other.background(5)) != same


def test_event_ids_are_never_repeated():
    load = SceneLoad(SCENES[SceneName.FLOOD], Population(50, 1), 1)
    ids = [e.event_id for e in load.background(10) + load.noise(2)]
    assert len(ids) > 1_000
    assert len(set(ids)) == len(ids)


def test_rates_are_those_of_the_scene():
    scene = SCENES[SceneName.FLOOD]
    load = SceneLoad(scene, Population(5_000, 3), 3)
    assert len(load.background(60)) == pytest.approx(scene.background_rate * 60, rel=0.03)
    assert len(load.background(60, 2.0)) == pytest.approx(scene.background_rate * 120, rel=0.03)
    assert len(load.noise(20)) == pytest.approx(scene.noisy_rate * 20, rel=0.03)


def test_the_noisy_token_is_an_ordinary_one_of_the_population():
    population = Population(5_000, 3)
    load = SceneLoad(SCENES[SceneName.FLOOD], population, 3)
    counts = Counter(e.token for e in load.background(600))
    assert 0 < counts[population.noisy] < max(counts.values()) / 5
    assert {e.token for e in load.noise(1)} == {population.noisy}


def test_a_population_smaller_than_the_noisy_rank_still_has_a_noisy_token():
    population = Population(3, 1)
    assert population.noisy in population.tokens


def test_batches_keep_every_event_in_order():
    events = SceneLoad(SCENES[SceneName.FLOOD], Population(50, 1), 1).background(1)
    parts = list(batches(events, 100))
    assert [e for part in parts for e in part] == events
    assert max(len(part) for part in parts) <= 100
