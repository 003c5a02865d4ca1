"""Decisions at take time: once per token hash, held tokens stop everything behind them."""

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.candidates import Candidates
from ingestion.lanes.fence import CAPACITY, Fence, token_hash
from ingestion.lanes.hold import Holds
from ingestion.lanes.share import DEAD, HERE, Verdict
from ingestion.lanes.tokens import FORWARD_S, Names, Predictions
from tests.support.lane_messages import buffer, message

OVER, QUAR = Lane.OVERFLOW.code, Lane.QUARANTINE.code


def seen(*tokens: str | None, fence=None, wanted=None, holds=None, now=0.0, doomed=None) -> Candidates:
    """Candidates that have looked at everything."""
    made = Candidates(
        buffer(*(message(i, token) for i, token in enumerate(tokens))),
        fence or Fence(),
        {t.encode(): lane for t, lane in (wanted or {}).items()},
        holds or Holds(2.0),
        Names(),
        Predictions(0.001),
        now,
        doomed,
    )
    while made.extend():
        pass
    return made


def codes(candidates: Candidates) -> list[int]:
    share = candidates.take(len(candidates.prefix))
    return share.codes if share.codes is not None else [HERE] * len(share)


def test_with_nothing_moved_all_are_handled_here() -> None:
    made = seen("a", "b", "a")
    assert made.take(3).codes is None
    assert made.prefix == [0.001, 0.002, 0.003]


def test_a_moved_token_is_forwarded_and_costs_a_forward() -> None:
    made = seen("a", "hot", "a", wanted={"hot": Lane.OVERFLOW})
    assert codes(made) == [HERE, OVER, HERE]
    assert made.prefix[1] - made.prefix[0] == FORWARD_S or abs(made.prefix[1] - made.prefix[0] - FORWARD_S) < 1e-12


def test_a_token_in_flight_elsewhere_stops_everything_behind_it() -> None:
    holds = Holds(2.0)
    fence = Fence({(token_hash(b"hot"), Lane.OVERFLOW): 4})
    made = seen("a", "hot", "b", fence=fence, holds=holds)
    assert codes(made) == [HERE]
    assert made.held
    assert not holds.states  # it does not stand at the head yet
    assert codes(seen("hot", "b", fence=fence, holds=holds, now=1.0)) == []
    assert holds.states


def test_after_hold_max_it_is_forwarded_to_where_it_is_in_flight_until_drained() -> None:
    holds = Holds(2.0)
    fence = Fence({(token_hash(b"hot"), Lane.OVERFLOW): 4})
    seen("hot", fence=fence, holds=holds, now=0.0)
    assert codes(seen("hot", "b", fence=fence, holds=holds, now=2.5)) == [OVER, HERE]
    assert codes(seen("hot", "b", holds=holds, now=2.6)) == [HERE, HERE]
    assert not holds.states


def test_a_wildcard_hold_never_forwards() -> None:
    holds = Holds(2.0)
    fence = Fence({(0, Lane.OVERFLOW): 4})
    seen("a", fence=fence, holds=holds, now=0.0)
    assert codes(seen("a", fence=fence, holds=holds, now=1e6)) == []


def test_a_move_between_side_lanes_waits_until_the_first_is_drained() -> None:
    fence = Fence({(token_hash(b"hot"), Lane.OVERFLOW): 4})
    assert codes(seen("hot", fence=fence, wanted={"hot": Lane.QUARANTINE})) == []
    assert codes(seen("hot", wanted={"hot": Lane.QUARANTINE})) == [QUAR]


def test_two_tokens_with_one_hash_get_one_decision() -> None:
    names = Names()
    names.known.update({b"x": ("x", 5), b"y": ("y", 5)})
    made = Candidates(
        buffer(message(0, "x"), message(1, "y")), Fence(), {b"x": Lane.OVERFLOW}, Holds(2.0), names, Predictions(), 0.0
    )
    made.extend()
    assert len(set(codes(made))) == 1


def test_records_without_a_readable_token_are_dead_letters() -> None:
    broken = message(1, "x")
    broken.set_headers([("token", b"\xff\xfe")])
    made = Candidates(
        buffer(message(0, None), broken, message(2, "a")), Fence(), {}, Holds(2.0), Names(), Predictions(), 0.0
    )
    made.extend()
    share = made.take(3)
    assert share.codes == [DEAD, DEAD, HERE]
    assert {v.kind for v in share.verdicts.values()} == {Kind.INVALID}


def test_a_full_fence_refuses_the_move_and_says_so() -> None:
    fence = Fence({(i + 10, Lane.OVERFLOW): 1 for i in range(CAPACITY)})
    made = seen("new", fence=fence, wanted={"new": Lane.OVERFLOW})
    assert codes(made) == [HERE]
    assert made.refused


def test_moves_of_one_chunk_count_against_the_capacity_together() -> None:
    fence = Fence({(i + 10, Lane.OVERFLOW): 1 for i in range(CAPACITY - 1)})
    made = seen("n1", "n2", fence=fence, wanted={"n1": Lane.OVERFLOW, "n2": Lane.OVERFLOW})
    assert sorted(codes(made)) == [HERE, OVER]


def test_a_doomed_record_is_the_only_one_that_dies() -> None:
    made = seen("a", "a", "a", doomed=(1, Verdict(Kind.DEAD, "hung")))
    share = made.take(3)
    assert share.codes == [HERE, DEAD, HERE]
    assert share.verdicts == {1: Verdict(Kind.DEAD, "hung")}


def test_a_token_that_turns_up_late_in_a_plain_buffer_does_not_disturb_what_was_seen() -> None:
    tokens = [f"t{i % 7}" for i in range(1_500)] + [None] + ["t1"] * 5
    made = seen(*tokens)
    found = codes(made)
    assert len(found) == len(tokens)
    assert [i for i, code in enumerate(found) if code != HERE] == [1_500]
