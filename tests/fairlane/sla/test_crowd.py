"""Counting active tokens by the hour, for the share of those that were moved."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from fairlane.database import open_database
from fairlane.sla.crowd import Crowd, Crowds
from fairlane.sla.month import Moved

BEGIN = 1_790_000_000 // 3600 * 3600


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = open_database("sqlite://")
    yield engine
    engine.dispose()


def test_the_busiest_minute_of_each_hour_is_kept(engine: Engine) -> None:
    crowds = Crowds(engine, "events")
    for at, tokens in ((BEGIN, 10), (BEGIN + 60, 40), (BEGIN + 120, 20), (BEGIN + 3600, 15), (BEGIN + 7200, 90)):
        crowds.note(tokens, at)
    assert crowds.between(BEGIN, BEGIN + 7200) == Crowd(40, 2)
    assert crowds.between(BEGIN + 3600, BEGIN + 7200) == Crowd(15, 1)
    assert crowds.between(BEGIN + 1800, BEGIN + 7200) == Crowd(40, 2), "half an hour before its zone's midnight"
    assert Crowds(engine, "others").between(BEGIN, BEGIN + 7200) is None


def test_what_is_not_known_is_not_kept_as_nobody(engine: Engine) -> None:
    crowds = Crowds(engine, "events")
    crowds.note(0, BEGIN)
    assert crowds.between(BEGIN, BEGIN + 3600) is None


def test_a_controller_that_starts_anew_does_not_lower_the_hour(engine: Engine) -> None:
    Crowds(engine, "events").note(40, BEGIN)
    Crowds(engine, "events").note(3, BEGIN + 600)
    assert Crowds(engine, "events").between(BEGIN, BEGIN + 3600) == Crowd(40, 1)


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_share_of_the_tokens_is_a_share_and_errs_high(tokens: int, most: int, unseen: int) -> None:
    share = Moved(tokens, 0, 0, 0, 0, most).token_share
    assert share is not None
    assert 0 <= share <= 1
    everybody = max(most, tokens) + unseen
    assert share * everybody >= tokens
