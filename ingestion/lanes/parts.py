"""Dividing a batch among threads: a key's records stay together and in order, the parts are equally heavy. Pure."""

from collections.abc import Hashable, Sequence
from heapq import heapify, heapreplace


def parts_of(keys: Sequence[Hashable], most: int, costs: Sequence[float] | None = None) -> list[list[int]]:
    """Indexes of `keys` in at most `most` parts, heaviest first; each part in rising order, all indexes of one key in the same part.

    `costs`: the weight of each index, 1 for all when None. Longest processing time first (Graham 1969): the heaviest part is at most 4/3 of the best
    possible, as far as single keys allow.
    """
    groups: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    weights = [float(len(g)) if costs is None else sum(costs[i] for i in g) for g in groups.values()]
    loads = [(0.0, number) for number in range(min(most, len(groups)))]
    heapify(loads)
    parts: list[list[int]] = [[] for _ in loads]
    for weight, group in sorted(zip(weights, groups.values(), strict=True), key=lambda g: -g[0]):
        load, number = loads[0]
        parts[number] += group
        heapreplace(loads, (load + weight, number))
    return [sorted(parts[number]) for _, number in sorted(loads, reverse=True)]
