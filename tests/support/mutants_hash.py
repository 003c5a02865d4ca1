"""Two tokens with one hash in F: what the fence promises then, kept and broken. A mutant has its process to itself and may change modules."""

from typing import Final

from ingestion.lanes import tokens
from ingestion.lanes.candidates import Candidates
from ingestion.lanes.worker import LaneWorker
from tests.support.mutants_fence import LatestOnly, WildTimeout


def one_hash(token: bytes) -> int:
    """The same for every token."""
    return 1


class OneHash(LaneWorker):
    """The true worker, with a hash that tells no token from another."""

    def _open(self) -> None:
        tokens.token_hash = one_hash
        super()._open()


def _decide_apart() -> None:
    """Decide per token, not once per token hash: two tokens with one hash can be forwarded to two lanes in one chunk."""
    true = Candidates._place

    def place(candidates: Candidates, token: bytes) -> int:
        candidates._by_hash.clear()
        return true(candidates, token)

    Candidates._place = place  # type: ignore[method-assign]


class OneHashLatest(OneHash, LatestOnly):
    """Decides per token, and of the lanes that F names looks only at the one with the largest L."""

    def _open(self) -> None:
        _decide_apart()
        super()._open()


class OneHashTimeout(OneHash, WildTimeout):
    """Decides per token, and a hold times out into a lane that F names, though it names another one too."""

    def _open(self) -> None:
        _decide_apart()
        super()._open()


HASH: Final[dict[str, type[LaneWorker]]] = {
    "one-hash": OneHash,
    "one-hash-latest": OneHashLatest,
    "one-hash-timeout": OneHashTimeout,
}
