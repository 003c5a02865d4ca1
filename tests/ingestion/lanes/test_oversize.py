"""Records that a side lane does not take."""

from math import inf

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.oversize import Room, buried_value, bury_oversized, size_of
from ingestion.lanes.share import DEAD, HERE, Share
from tests.support.lane_messages import message

ROOM = Room(lanes=100_000, dead=100_000)
FORWARD = Lane.OVERFLOW.code


def share(*values: int, codes: list[int] | None, extra=None) -> Share:
    messages = [message(i, value=b"x" * n, extra=extra) for i, n in enumerate(values)]
    return Share(0, messages, [m.headers() for m in messages], [b"acme"] * len(values), codes)


def test_a_forward_that_no_side_lane_takes_is_a_dead_letter_with_the_reason() -> None:
    made = share(10, 99_990, codes=[FORWARD, FORWARD])
    bury_oversized(made, ROOM, thorough=False)
    assert made.codes == [FORWARD, DEAD]
    assert (made.verdicts[1].kind, made.verdicts[1].reason) == (Kind.DEAD, "too-large")
    assert "100000" in made.verdicts[1].detail


def test_handled_here_it_is_a_record_like_any_other() -> None:
    made = share(99_990, 10, codes=[HERE, FORWARD])
    bury_oversized(made, ROOM, thorough=False)
    assert made.codes == [HERE, FORWARD]
    plain = share(200_000, codes=None)
    bury_oversized(plain, ROOM, thorough=True)
    assert plain.codes is None


def test_large_headers_are_found_once_kafka_has_refused_a_record() -> None:
    made = share(10, codes=[FORWARD], extra=[("h", b"x" * 100_000)])
    bury_oversized(made, ROOM, thorough=False)
    assert made.codes == [FORWARD]
    bury_oversized(made, ROOM, thorough=True)
    assert made.codes == [DEAD]


def test_without_known_limits_nothing_is_too_large() -> None:
    made = share(10_000_000, codes=[FORWARD])
    bury_oversized(made, Room(), thorough=True)
    assert made.codes == [FORWARD]


def test_a_dead_letter_that_does_not_fit_goes_without_its_value_and_says_where_it_is() -> None:
    big = message(7, value=b"x" * 100_000)
    value, more = buried_value(big, big.headers(), ROOM)
    assert value is None
    assert "100000 bytes" in more
    assert "p.general/0/7" in more
    small = message(7)
    assert buried_value(small, small.headers(), ROOM) == (b"{}", "")
    assert buried_value(big, big.headers(), Room(inf, inf)) == (big.value(), "")


def test_the_size_errs_high_by_less_than_a_kilobyte() -> None:
    assert 1_000 < size_of(message(1, value=b"x" * 1_000), message(1).headers()) < 2_000
