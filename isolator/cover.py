"""Step 5: the smallest set of tokens that brings enough relief. Greedy on what is still uncovered, then reverse delete."""

import numpy as np

from isolator.interner import Floats

_EPSILON = 1e-9


def cover(gains: Floats, needs: Floats) -> list[int]:
    """Candidates to move, in the order in which they help most.

    `gains` (candidates, constraints) >= 0 is the work/s that a candidate takes off a constraint, `needs` (constraints,) what must be taken off; needs <= 0 are met.
    Where all candidates together are not enough, as much is covered as can be. Ties go to the lower index, so the same input gives the same answer.
    """
    open_ = needs > _EPSILON
    need = needs[open_]
    gain = gains[:, open_]
    if not len(need) or not len(gain):
        return []
    reachable = np.minimum(need, gain.sum(axis=0))
    chosen: list[int] = []
    covered = np.zeros(len(need))
    while (covered < reachable - _EPSILON).any():
        left = np.maximum(reachable - covered, 0.0)
        worth = (np.minimum(gain, left) / need).sum(axis=1)
        worth[chosen] = -1.0
        best = int(np.argmax(worth))
        if worth[best] <= _EPSILON:
            break
        chosen.append(best)
        covered = covered + gain[best]
    return _reverse_delete(chosen, gain, np.minimum(reachable, covered))


def _reverse_delete(chosen: list[int], gain: Floats, reached: Floats) -> list[int]:
    """Drop, last chosen first, whoever is not needed to keep what was reached."""
    kept = list(chosen)
    for candidate in reversed(chosen):
        rest = [c for c in kept if c != candidate]
        if rest and (gain[rest].sum(axis=0) >= reached - _EPSILON).all():
            kept = rest
    return kept


def relief(gains: Floats, needs: Floats, chosen: list[int]) -> float:
    """The share of the needs that `chosen` cover, 0 to 1; 1 when nothing is needed."""
    open_ = needs > _EPSILON
    if not open_.any():
        return 1.0
    got = gains[chosen].sum(axis=0)[open_] if chosen else np.zeros(int(open_.sum()))
    return float(np.mean(np.minimum(got / needs[open_], 1.0)))
