"""FoundationDB's automatic tag throttling: when a storage server's queue nears its target, its busiest tags are throttled at the door.

It never moves anybody, so the records that already wait stay before the innocents: that is the rule.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Interval, Tally, joined, mean_cost

GATE = 0.8
TARGET_SHARE = 1 / 3
"""Of the SLO: the delay that stands for the queue's target."""
BUSYNESS = 0.1
AGGREGATE_S = 5.0
UPDATE_S = 10.0
DURATION_S = 240.0
RAMP_S = 120.0
MOST_TAGS = 5
TRACKED = 5
"""Busiest tags of a partition that are looked at."""
WINDOW = 5
"""Seconds over which busyness and rates are taken."""

FDB: Final = "https://github.com/apple/foundationdb/blob"
NOTE: Final = Note(
    rule=(
        f"The ratekeeper looks at each storage server whose queue is over {GATE:.0%} of its target (AUTO_TAG_THROTTLE_STORAGE_QUEUE_BYTES 800e6 of TARGET_BYTES_PER_STORAGE_SERVER "
        f"1000e6). A tag of over {BUSYNESS:.0%} of its busyness is watched for {AGGREGATE_S:.0f} s, then throttled to the rate that leaves it {BUSYNESS:.0%}: rate * t(1-b) / ((1-t)b) "
        f"for busyness b and target t. At most every {UPDATE_S:.0f} s that is tightened, never loosened; it lasts {DURATION_S:.0f} s, of which the last {RAMP_S:.0f} s are a ramp "
        f"upwards. At most {MOST_TAGS} tags are throttled."
    ),
    sources=(
        (
            "RkTagThrottleCollection.cpp",
            f"{FDB}/07dae1620c6ca6700e2745a64ba03c8e4f6901ec/fdbserver/RkTagThrottleCollection.cpp",
        ),
        ("TagThrottler.cpp", f"{FDB}/0f3cfbb532cbb8ed9070eb94d688369bd297d8ae/fdbserver/ratekeeper/TagThrottler.cpp"),
        ("ServerKnobs.cpp", f"{FDB}/f8a462af89fb505f0b6e3714d7c9f1f6c3103b37/fdbclient/ServerKnobs.cpp"),
    ),
    model=(
        f"A storage server is a partition, its queue's target a delay of a third of the SLO (our own gate's), a tag a token, busyness the share of the work that arrives. "
        f"The {TRACKED} busiest tags of a partition are looked at (SS_THROTTLE_TAGS_TRACKED)."
    ),
    kinder=(
        f"Busyness is of work and not of bytes or operations: a tenant that is slow and not large is seen. It is measured over {WINDOW} s instead of TAG_MEASUREMENT_INTERVAL's 30 s, "
        "and MIN_TAG_COST and the least page rates, under which a tag is not looked at, are left out."
    ),
    harsher="FoundationDB delays a throttled client's transactions; here what is over the limit is refused (429), as our own capture would: a refused record of an innocent is a harm.",
    absent="The smoothing of the clients' rates; batch priority; the global throttling by quotas that newer releases prefer.",
)


@dataclass(slots=True)
class Throttle:
    """One tag's."""

    created_s: float
    expires_s: float
    limit: float = np.inf
    updated_s: float = -np.inf
    reduced_s: float = -np.inf

    def rate(self, now_s: float) -> float:
        """What is admitted now: the limit, rising again over the last 120 of its 240 s."""
        ramped_s = now_s - (self.reduced_s + DURATION_S - RAMP_S)
        if ramped_s < 0 or not np.isfinite(self.limit):
            return self.limit
        return target_rate(BUSYNESS, BUSYNESS ** (1 - min(ramped_s / RAMP_S, 1.0)), self.limit)


def target_rate(busyness: float, target: float, rate: float) -> float:
    """The rate at which a tag of `busyness` at `rate` would have busyness `target`, the others unchanged."""
    return rate * target * (1 - busyness) / ((1 - target) * busyness) if target < 1 else np.inf


class TagThrottling:
    """Throttles, never moves."""

    name = "FoundationDB tag throttling"
    moves_backlog = False
    tick_s = 1.0

    def __init__(self, site: Site) -> None:
        self._tally = Tally(site)
        self._other_cost = mean_cost(site)
        self._gate_s = GATE * TARGET_SHARE * site.slo_s
        self._past: deque[Interval] = deque(maxlen=WINDOW)
        self._throttles: dict[int, Throttle] = {}
        self._limits: dict[int, float] = {}

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:
        """Throttle the busiest tags of every partition over the gate; drop what has expired."""
        self._past.append(self._tally.take())
        self._throttles = {tag: one for tag, one in self._throttles.items() if one.expires_s > now_s}
        late = np.flatnonzero(self._tally.delay_s() > self._gate_s)
        if len(late):
            arrived = joined([told.arrived for told in self._past])
            seconds = max(sum(told.seconds for told in self._past), 1e-9)
            other = np.sum([told.arrived_other for told in self._past], axis=0) * self._other_cost
            for partition in late.tolist():
                ids, _, work = arrived.on([partition]).by_token()
                total = float(work.sum() + other[partition])
                for place in np.argsort(-work, kind="stable")[:TRACKED].tolist():
                    if work[place] <= BUSYNESS * total:
                        break
                    tag, busyness = int(ids[place]), float(work[place]) / total
                    rate = float(arrived.records[arrived.token == tag].sum()) / seconds
                    self._throttle(tag, min(busyness, 1 - 1e-9), rate, now_s)
        rates = {tag: one.rate(now_s) for tag, one in sorted(self._throttles.items())}
        limits = {tag: rate for tag, rate in rates.items() if np.isfinite(rate)}
        changed, self._limits = limits != self._limits, limits
        return Orders(limits=limits if changed else None)

    def _throttle(self, tag: int, busyness: float, rate: float, now_s: float) -> None:
        known = self._throttles.get(tag)
        if known is None:
            if len(self._throttles) < MOST_TAGS:
                self._throttles[tag] = Throttle(now_s, now_s + DURATION_S)
            return
        if now_s <= known.created_s + AGGREGATE_S or now_s <= known.updated_s + UPDATE_S:
            return
        limit = target_rate(busyness, BUSYNESS, rate)
        if limit < known.limit:
            known.limit, known.updated_s, known.reduced_s = limit, now_s, now_s
            known.expires_s = now_s + DURATION_S
