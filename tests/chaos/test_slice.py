"""A slice of `make chaos`: one random run of many faults, and the quickest mutants. The whole of it is `make chaos`."""

from collections.abc import Iterator

import pytest

from fairlane.stack.kafka import LocalKafka
from tests.chaos.hunt import hunt
from tests.chaos.plan import draw
from tests.chaos.roster import MUTANTS
from tests.chaos.run import IMPATIENT, play

pytestmark = pytest.mark.kafka

QUICK = (
    "no-drain",
    "off-by-one",
    "drops-metadata",
    "no-rewind",
    "commits-past-held",
    "reads-uncommitted",
    "ahead-position",
    "negative-position",
)


@pytest.fixture
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker that notices dead members and abandoned transactions soon."""
    with LocalKafka(tmp_path_factory.mktemp("hunt"), properties=IMPATIENT, heap_mb=512) as broker:
        yield broker


@pytest.mark.timeout(600)
def test_a_random_run_loses_doubles_and_reorders_nothing() -> None:
    said: list[str] = []
    result = play(draw(seed=31, length_s=20.0, faults=12), said.append)
    assert result.violations == [], "\n".join(said)
    assert result.faults.total() >= 5, "\n".join(said)
    assert result.forwards > 0
    assert result.fences_compared > 0


@pytest.mark.timeout(600)
def test_the_judges_catch_mutants_and_pass_the_true_worker(impatient: LocalKafka) -> None:
    said: list[str] = []
    chosen = [mutant for mutant in MUTANTS if mutant.name in QUICK]
    trials = hunt(chosen, impatient, said.append)
    assert [trial for trial in trials if not trial.as_expected] == [], "\n".join(said)
    assert {trial.mutant for trial in trials} == {"", *QUICK}


def test_every_mutant_has_a_schedule_of_its_own_name() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 40
    assert all(mutant.general or mutant.side for mutant in MUTANTS)
