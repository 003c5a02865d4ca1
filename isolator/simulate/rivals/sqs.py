"""Amazon SQS fair queues: a tenant that uses too much of the consumers is served after the quiet ones."""

from collections import deque
from typing import Final

from isolator.interner import Ints
from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Interval, Tally, joined

SHARE = 0.1
IN_FLIGHT = 30.0
QUIET_S = 300.0
BACKLOG_SHARE = 0.1
"""Of the SLO: how old the oldest record must be for the order of delivery to matter."""
WINDOW = 5
"""Seconds of shares: what recent means."""

NOTE: Final = Note(
    rule=(
        f"A message group is noisy if it has over {SHARE:.0%} of the messages in flight and at least {IN_FLIGHT:.0f} of them, or over {SHARE:.0%} of the recent processing time. The "
        f"quiet are delivered first. It is quiet again when its backlog is used up, or after {QUIET_S / 60:.0f} minutes in which it sent nothing."
    ),
    sources=(
        (
            "How Amazon SQS fair queues work",
            "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html",
        ),
    ),
    model=(
        f"A group is a token; being served later is a move to overflow with what already waits. In flight is what the consumers took in a second, recent are {WINDOW} s, the shares are "
        "of all consumers together, for it is one queue."
    ),
    kinder=(
        f"Overflow has workers of its own, where SQS gives the noisy what the quiet leave. Nobody is moved before the oldest record has waited {BACKLOG_SHARE:.0%} of the SLO: order does not matter "
        "while nothing waits. Who is under both shares comes back when nothing waits in overflow on its partitions, or 5 minutes after it was noisy last, whichever is sooner."
    ),
    harsher="SQS has no partitions: a message behind another tenant's is simply delivered first. Here it decides once a second, and acts as late as everybody.",
    absent="The order among several noisy groups (fewest in flight first).",
)


class FairQueues:
    """One queue: shares are of all consumers together."""

    name = "SQS fair queues"
    moves_backlog = True
    tick_s = 1.0

    def __init__(self, site: Site) -> None:
        self._tally = Tally(site)
        self._dwell_s = site.slo_s * BACKLOG_SHARE
        self._past: deque[Interval] = deque(maxlen=WINDOW)
        self._noisy_at: dict[int, float] = {}
        self._moved: set[int] = set()
        self._where: dict[int, Ints] = {}
        """On which partitions a moved one was handled."""

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:
        """Find who is noisy; move them while there is a backlog."""
        self._past.append(self._tally.take())
        backlog = bool((self._tally.delay_s() > self._dwell_s).any())
        if not backlog and not self._moved:
            return Orders()
        handled = joined([told.handled for told in self._past])
        ids, records, work = handled.by_token()
        all_records = float(records.sum()) + sum(told.handled_other for told in self._past)
        all_work = float(work.sum()) + sum(told.work_other for told in self._past)
        many = (records / WINDOW >= IN_FLIGHT) & (records > SHARE * all_records)
        noisy = set(ids[many | (work > SHARE * all_work)].tolist())
        self._noisy_at.update(dict.fromkeys(noisy, now_s))
        move = sorted(noisy - self._moved) if backlog else []
        self._where.update({token: handled.partition[handled.token == token] for token in move})
        home = [token for token in sorted(self._moved - noisy) if self._over(token, now_s)]
        self._moved = (self._moved | set(move)) - set(home)
        return Orders(move=tuple(move), restore=tuple(home))

    def _over(self, token: int, now_s: float) -> bool:
        return bool(self._tally.side_lag[self._where[token]].sum() < 1.0 or now_s - self._noisy_at[token] >= QUIET_S)
