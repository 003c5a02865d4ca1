"""Sentry's symbolication budgets: a project that uses more than its seconds of work a second goes to the low-priority queue for five minutes."""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Rows, Tally, busiest, joined

BUDGET = 5.0
WINDOW_S = 120
BACKOFF_S = 300.0
SHARE = 0.1
"""Tuned: share of all consumers' work that one token may use."""
HEADROOM = 1.5
"""Tuned: times the largest learned work."""

SENTRY: Final = "https://github.com/getsentry/sentry/blob/000b735536174c877f044a17a57ea728dbe48178/src/sentry"
NOTE: Final = Note(
    rule=(
        f"A project that used over {BUDGET:g} s of symbolication time a second on average of the last {WINDOW_S} s is routed to the low-priority queue for {BACKOFF_S:.0f} s and then "
        "judged afresh. A request that runs on is charged its running time again at every poll, so that slow ones cost quadratically."
    ),
    sources=(
        ("realtime_metrics/redis.py", f"{SENTRY}/processing/realtime_metrics/redis.py"),
        ("SENTRY_LPQ_OPTIONS and SENTRY_REALTIME_METRICS_OPTIONS in server.py", f"{SENTRY}/conf/server.py"),
    ),
    model="A project is a token, symbolication time is work, the low-priority queue the overflow lane; routed at capture. Checked every second, for all at once.",
    kinder="A running record is charged every second, as its documentation's example has it, where SYMBOLICATOR_POLL_TIMEOUT polls every 5 s: slow records are found sooner.",
    harsher="Sentry routes at the entry too, but checks at each event, so a demotion acts on the next one; here it acts as late as everybody's orders.",
    absent="Budgets by platform, manual membership.",
)
TUNED: Final = f"{BUDGET:g} s of work a second cannot be reached on a site of fewer consumers. The budget is {SHARE:.0%} of all consumers, and at least {HEADROOM:g} times the busiest usual tenant's work."


@dataclass(frozen=True)
class Sentry:
    """Makes the rule with a budget (work/s); None tunes it to the site."""

    name: str = "Sentry budgets"
    budget: float | None = BUDGET

    def __call__(self, site: Site) -> "Budgets":
        budget = tuned(site) if self.budget is None else self.budget
        return Budgets(site, self.name, budget)


def tuned(site: Site) -> float:
    """Work a second that a careful operator would allow."""
    return max(SHARE * site.slots * site.capacity, HEADROOM * busiest(site)[1])


class Budgets:
    """One budget for all."""

    moves_backlog = False
    tick_s = 1.0

    def __init__(self, site: Site, name: str, budget: float) -> None:
        self.name, self.budget = name, budget
        self._tally = Tally(site)
        self._used: deque[Rows] = deque()
        self._sum = np.zeros(len(site.names))
        self._until: dict[int, float] = {}

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:
        """Charge the last second; demote for 300 s who is over; look again at who has served them."""
        running = self._tally.running()
        still = Rows(
            np.array([token for token, _ in running], dtype=np.int64),
            np.zeros(len(running), dtype=np.int64),
            np.zeros(len(running)),
            np.array([seconds for _, seconds in running], dtype=np.float64),
        )
        used = joined([self._tally.take().handled, still])
        self._used.append(used)
        np.add.at(self._sum, used.token, used.work)
        if len(self._used) > WINDOW_S:
            gone = self._used.popleft()
            np.subtract.at(self._sum, gone.token, gone.work)
        most = self.budget * WINDOW_S
        served = [token for token, until in sorted(self._until.items()) if until <= now_s]
        home = [token for token in served if self._sum[token] <= most]
        # only who used something can be over from now on
        over = np.unique(used.token[self._sum[used.token] > most]).tolist()
        move = [token for token in over if token not in self._until]
        kept = [token for token in served if self._sum[token] > most]
        self._until.update(dict.fromkeys([*move, *kept], now_s + BACKOFF_S))
        for token in home:
            del self._until[token]
        return Orders(move=tuple(move), restore=tuple(home))
