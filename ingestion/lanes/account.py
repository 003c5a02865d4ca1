"""Who used what: columns while the worker runs, folded once a report. Exact for a partition's top tokens, the rest is `other`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter
from typing import Final

from confluent_kafka import Message

from ingestion.contracts.telemetry import OTHER, TOP_TOKENS, TokenLoad
from ingestion.lanes.share import HERE, Share

_KEY: Final = Message.key
_SIZE: Final = Message.__len__


@dataclass(slots=True)
class Usage:
    """One partition since the last report."""

    tokens: list[bytes] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    work: dict[bytes, float] = field(default_factory=dict)
    forwards: Counter[bytes] = field(default_factory=Counter)
    busy_s: float = 0.0
    handled: int = 0
    forwarded: int = 0

    def fold(self, partition: int, top: int) -> list[TokenLoad]:
        """The `top` tokens by work, then records, exactly; and one row for all others (its keys are an estimate: those that no top token accounts for)."""
        counts = Counter(self.tokens)
        work = self.work
        if work:
            best = nlargest(top, counts, key=lambda t: (work.get(t, 0.0), counts[t]))
        else:  # only counted or forwarded: the quick way
            best = [token for token, _ in counts.most_common(top)]
        chosen = set(best)
        picked = [row for row in zip(self.tokens, self.keys, self.sizes, strict=True) if row[0] in chosen]
        sizes: dict[bytes, int] = dict.fromkeys(best, 0)
        for token, _, size in picked:
            sizes[token] += size
        keys: dict[bytes, list[int]] = {token: [] for token in best}
        for (token, _), number in Counter((token, key) for token, key, _ in picked).items():
            keys[token].append(number)
        loads = [
            TokenLoad(
                t.decode(errors="replace"),
                partition,
                counts[t],
                sizes[t],
                work.get(t, 0.0),
                len(keys[t]),
                max(keys[t]),
                self.forwards[t],
            )
            for t in best
        ]
        if len(counts) > len(best):
            loads.append(
                TokenLoad(
                    OTHER,
                    partition,
                    len(self.tokens) - sum(row.records for row in loads),
                    sum(self.sizes) - sum(row.bytes for row in loads),
                    max(0.0, sum(work.values()) - sum(row.work_s for row in loads)),
                    max(1, len(set(self.keys)) - sum(row.keys for row in loads)),
                    0,
                    self.forwards.total() - sum(row.forwarded for row in loads),
                )
            )
        return loads


@dataclass(slots=True)
class Booked:
    """What a committed chunk was. `work`: token -> (records, seconds) of what the handler did."""

    work: dict[bytes, tuple[int, float]] = field(default_factory=dict)
    handled: int = 0
    forwarded: int = 0
    dead: int = 0


class Account:
    """Usage of every partition since the last report."""

    def __init__(self) -> None:
        self.usage: dict[int, Usage] = {}

    def add(self, share: Share) -> dict[bytes, tuple[int, float]]:
        """Take in a committed share; returns (records, work) of the tokens that the handler worked for."""
        usage = self.usage.setdefault(share.partition, Usage())
        usage.tokens += share.tokens
        usage.keys += map(_KEY, share.messages)
        usage.sizes += map(_SIZE, share.messages)
        if share.codes is None:
            usage.handled += len(share)
        else:
            forwarded = [token for token, code in zip(share.tokens, share.codes, strict=True) if code > 0]
            usage.forwards.update(forwarded)
            usage.forwarded += len(forwarded)
            usage.handled += share.codes.count(HERE)
        worked: dict[bytes, tuple[int, float]] = {}
        if share.costs:
            for i, cost in share.costs.items():
                token = share.tokens[i]
                count, seconds = worked.get(token, (0, 0.0))
                worked[token] = (count + 1, seconds + cost)
            for token, (_, seconds) in worked.items():
                usage.work[token] = usage.work.get(token, 0.0) + seconds
                usage.busy_s += seconds
        return worked

    def book(self, shares: Iterable[Share]) -> "Booked":
        """Take in a committed chunk."""
        booked = Booked()
        for share in shares:
            for token, (count, seconds) in self.add(share).items():
                before = booked.work.get(token, (0, 0.0))
                booked.work[token] = (before[0] + count, before[1] + seconds)
            booked.dead += len(share.verdicts)
            booked.forwarded += share.forwards()
            booked.handled += len(share) if share.codes is None else share.codes.count(HERE)
        return booked

    def take(self) -> dict[int, Usage]:
        """What was used since the last call."""
        taken, self.usage = self.usage, {}
        return taken


def rows(usage: dict[int, Usage], limit: int = 8_000) -> tuple[TokenLoad, ...]:
    """All partitions' rows, at most about `limit` (one message stays under 1 MB): with very many partitions fewer tokens are exact."""
    top = max(4, min(TOP_TOKENS, limit // max(1, len(usage))))
    folded = [(partition, one.fold(partition, top)) for partition, one in usage.items()]
    return tuple(row for _, part in sorted(folded, key=itemgetter(0)) for row in part)
