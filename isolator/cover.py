"""Step 5: the smallest set of tokens that brings enough relief. Greedy on what is still uncovered, then reverse delete; exact for few candidates.

Fewest is NP-hard (set cover). With up to EXACT candidates all subsets are compared, so that the answer is the fewest. With more, the answer is the fewest
within the EXACT candidates that greedy chose or that are worth most by themselves: always minimal under inclusion, never more than greedy's ln(constraints) + 1 times the fewest.
"""

from typing import Final

import numpy as np

from isolator.interner import Bools, Floats, Ints

EXACT: Final = 12
"""Candidates whose every subset is compared (4,096 of them, some milliseconds)."""
_EPSILON = 1e-9


def cover(gains: Floats, needs: Floats) -> list[int]:
    """Candidates to move, in the order in which they help most.

    `gains` (candidates, constraints) >= 0 is the work/s that a candidate takes off a constraint, `needs` (constraints,) what must be taken off; needs <= 0 are met.
    Where all candidates together are not enough, as much is covered as can be. Among sets of the same size the one that takes off most is taken; ties go to
    the lower index, so the same input gives the same answer.
    """
    open_ = needs > _EPSILON
    need = needs[open_]
    gain = gains[:, open_]
    if not len(need) or not len(gain):
        return []
    reachable = np.minimum(need, gain.sum(axis=0))
    chosen = _reverse_delete(*_greedy(gain, need, reachable))
    if 1 < len(chosen) <= EXACT:
        return _fewest(chosen, gain, need, np.minimum(reachable, gain[chosen].sum(axis=0)))
    return chosen


def _greedy(gain: Floats, need: Floats, reachable: Floats) -> tuple[list[int], Floats, Floats]:
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
    return chosen, gain, np.minimum(reachable, covered)


def _reverse_delete(chosen: list[int], gain: Floats, reached: Floats) -> list[int]:
    """Drop, last chosen first, whoever is not needed to keep what was reached."""
    kept = list(chosen)
    for candidate in reversed(chosen):
        rest = [c for c in kept if c != candidate]
        if rest and (gain[rest].sum(axis=0) >= reached - _EPSILON).all():
            kept = rest
    return kept


def _fewest(chosen: list[int], gain: Floats, need: Floats, reached: Floats) -> list[int]:
    """The smallest subset of the pool that reaches what `chosen`, a part of the pool, does."""
    worth = (np.minimum(gain, reached) / need).sum(axis=1)
    others = [c for c in np.argsort(-worth, kind="stable").tolist() if c not in chosen and worth[c] > _EPSILON]
    pool = np.array(sorted([*chosen, *others[: EXACT - len(chosen)]]), dtype=np.int64)
    members = (np.arange(1 << len(pool))[:, None] >> np.arange(len(pool)) & 1).astype(np.float64)
    enough = (members @ gain[pool] >= reached - _EPSILON).all(axis=1)
    sizes = members.sum(axis=1)
    best = enough & (sizes == sizes[enough].min())
    return _most(members, best, pool, gain / need)


def _most(members: Floats, best: Bools, pool: Ints, value: Floats) -> list[int]:
    total = members @ value[pool].sum(axis=1)
    # the lowest number among equals: sums that differ by rounding only are equal
    taken = np.flatnonzero(best & (total >= total[best].max() - 1e-6))[0]
    picked = pool[members[taken] > 0]
    return [int(i) for i in picked[np.argsort(-value[picked].sum(axis=1), kind="stable")]]


def relief(gains: Floats, needs: Floats, chosen: list[int]) -> float:
    """The share of the needs that `chosen` cover, 0 to 1; 1 when nothing is needed."""
    open_ = needs > _EPSILON
    if not open_.any():
        return 1.0
    got = gains[chosen].sum(axis=0)[open_] if chosen else np.zeros(int(open_.sum()))
    return float(np.mean(np.minimum(got / needs[open_], 1.0)))
