"""Lane workers with one rule broken each: the oracle must catch every one of them. `find` is what a worker process asks for."""

from ingestion.lanes.worker import LaneWorker
from tests.support.mutants_commit import COMMIT
from tests.support.mutants_fence import FENCE
from tests.support.mutants_hash import HASH
from tests.support.mutants_lanes import LANES
from tests.support.mutants_turn import TURN

MUTANTS: dict[str, type[LaneWorker]] = {**FENCE, **HASH, **COMMIT, **TURN, **LANES}


def find(name: str) -> type[LaneWorker]:
    """The worker called so; the true one for an empty name."""
    return MUTANTS[name] if name else LaneWorker
