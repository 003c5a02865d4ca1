"""How long a hold may last."""

from ingestion.lanes.hold import MAX_BACK_OFF_S, Holds, Wait

KEY = (0, 7)


def test_a_hold_lasts_hold_max_from_when_it_stops_the_partition() -> None:
    holds = Holds(2.0)
    assert holds.ask(KEY, 0.0, may_forward=True) is Wait.HOLD
    assert holds.ask(KEY, 50.0, may_forward=True) is Wait.HOLD  # never stood at the head: no time counts
    holds.start(KEY, 50.0)
    assert holds.ask(KEY, 51.9, may_forward=True) is Wait.HOLD
    assert holds.held_s(0, 51.9) == 51.9 - 50.0
    assert holds.ask(KEY, 52.0, may_forward=True) is Wait.FORWARD


def test_after_a_time_out_the_token_tries_again_after_a_doubled_wait() -> None:
    holds, now, waits = Holds(2.0), 0.0, []
    for _ in range(4):
        holds.start(KEY, now)
        while holds.ask(KEY, now, may_forward=True) is Wait.HOLD:
            now += 0.5
        began = now
        while holds.ask(KEY, now, may_forward=True) is Wait.FORWARD:
            now += 0.5
        waits.append(now - began)
    assert waits == [4.0, 8.0, 16.0, 32.0]


def test_the_wait_is_bounded() -> None:
    holds = Holds(2.0)
    now = 0.0
    holds.start(KEY, now)
    for _ in range(20):
        while holds.ask(KEY, now, may_forward=True) is Wait.HOLD:
            now += 1.0
        while holds.ask(KEY, now, may_forward=True) is Wait.FORWARD:
            now += 1.0
    assert holds.states[KEY].back_off <= MAX_BACK_OFF_S


def test_a_hold_that_may_not_forward_waits_for_ever() -> None:
    holds = Holds(2.0)
    holds.start(KEY, 0.0)
    assert holds.ask(KEY, 1e6, may_forward=False) is Wait.HOLD


def test_a_token_that_got_home_starts_afresh() -> None:
    holds = Holds(2.0)
    holds.start(KEY, 0.0)
    assert holds.ask(KEY, 3.0, may_forward=True) is Wait.FORWARD
    holds.clear(KEY)
    holds.start(KEY, 3.5)
    assert holds.ask(KEY, 4.0, may_forward=True) is Wait.HOLD


def test_a_partition_that_leaves_takes_its_holds_along() -> None:
    holds = Holds(2.0)
    holds.start(KEY, 0.0)
    holds.start((1, 7), 0.0)
    holds.forget(0)
    assert set(holds.states) == {(1, 7)}
