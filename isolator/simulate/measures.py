"""What is measured of one run, each against the truth that the contender did not know.

onset       the first second of a culprit's span in which the true demand of a consumer that it loads exceeds that consumer's capacity (or its record occupies it).
            A ramp's onset is that moment, not its start. Onsets within 5 s are one episode. Who is already away when it starts again is no new decision.
decide      from the onset to the first order that moves (or limits) a culprit of the episode that the oracle's cover has; 0 if it came before.
isolate     likewise to the last order of the cover's tokens.
protect     from the onset to the last moment at which the oldest record waiting in general on a consumer that the culprits load was older than SLO/3, until the
            next episode there begins; 0 if that never happened.
truly calm  the token's load is back at its baseline, and the side lane has drained on its partitions; restore counts from there. What is still away at the
            end of the run counts with the time until then.
false       an order about a token that is not to blame, nor was within 30 s before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from isolator.simulate.events import LIFT, MOVE, RESTORE, Event
from isolator.simulate.oracle import Oracle
from isolator.simulate.plan import Plan, Truth

TOGETHER_S: Final = 5.0
GRACE_S: Final = 30.0
HOUR_S: Final = 3600.0
FLAP_S: Final = 600.0
"""A token that is moved again within so long after its restore has flapped."""


@dataclass(frozen=True, slots=True)
class Measures:
    """One run. Seconds, records, tokens."""

    decide_s: tuple[float, ...]
    """By episode; an episode without a decision counts with its length."""
    isolate_s: tuple[float, ...]
    protect_s: tuple[float, ...]
    undecided: int
    """Episodes in which no culprit was ever moved."""
    innocents: float
    """Records of innocents from the beginning until it is calm."""
    innocents_late: float
    """Of these, handled later than the SLO."""
    innocents_refused: float
    culprits_refused: float
    worst_innocent_age_s: float
    cover: int
    """Tokens of the oracle's cover."""
    moved: int
    """Different tokens that were moved or limited."""
    excess_moves: int
    """Of these, beyond the cover's number."""
    false_moves: int
    false_tokens: int
    false_token_minutes: float
    """Innocent tokens' time away."""
    flaps: int
    moves_per_token_hour: int
    """The most orders to move one token within an hour."""
    restore_s: tuple[float, ...]
    not_restored: int
    early_restores: int
    """Restores of a culprit while it was still to blame."""
    peak_share_moved: float
    arrived: float
    handled: float
    waiting: float
    refused: float

    @property
    def late_ratio(self) -> float:
        """Innocent records over SLO."""
        return self.innocents_late / self.innocents if self.innocents > 0 else 0.0

    @property
    def refused_ratio(self) -> float:
        """Innocent records that capture refused."""
        return self.innocents_refused / self.innocents if self.innocents > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The fields, rounded, for JSON."""
        found: dict[str, Any] = {f.name: _short(getattr(self, f.name)) for f in fields(self)}
        return {**found, "innocents_over_slo_ratio": self.late_ratio, "innocents_refused_ratio": self.refused_ratio}


def _short(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_short(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


@dataclass(frozen=True, slots=True)
class Episode:
    """Culprits whose overload began together, by source number."""

    onset_s: float
    end_s: float
    sources: tuple[int, ...]


def episodes(oracle: Oracle, cover: Sequence[int]) -> list[Episode]:
    """The cover's episodes in order of onset."""
    found = sorted((at, end, n) for n in cover for at, end in oracle.episodes(n))
    groups: list[Episode] = []
    for at, end, number in found:
        if groups and at - groups[-1].onset_s <= TOGETHER_S:
            last = groups[-1]
            groups[-1] = Episode(last.onset_s, max(last.end_s, end), (*last.sources, number))
        else:
            groups.append(Episode(at, end, (number,)))
    return groups


def away_at(events: Sequence[Event], token: int, at_s: float) -> bool:
    """Was the token away or limited before `at_s`?"""
    state: dict[str, bool] = {"lane": False, "limit": False}
    for event in events:
        if event.token == token and event.at_s < at_s:
            state["lane" if event.kind in {MOVE, RESTORE} else "limit"] = event.away
    return any(state.values())


def decisions(
    groups: Sequence[Episode], events: Sequence[Event], first_id: int
) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Seconds to decide and to isolate, by episode, and how many were never decided."""
    decide: list[float] = []
    isolate: list[float] = []
    undecided = 0
    for group in groups:
        open_ = [n for n in group.sources if not away_at(events, first_id + n, group.onset_s)]
        if len(open_) < len(group.sources):
            # somebody was already away: before the onset, or since an earlier episode
            early = any(
                e.token - first_id in group.sources and e.away and group.onset_s - 2 * HOUR_S < e.at_s < group.onset_s
                for e in events
            )
            if not open_ and early and not _repeated(group, groups):
                decide.append(0.0)
                isolate.append(0.0)
            if not open_:
                continue
        firsts = [
            min(
                (e.at_s for e in events if e.token == first_id + n and e.away and e.at_s >= group.onset_s), default=None
            )
            for n in open_
        ]
        known = [at for at in firsts if at is not None and at <= group.end_s + GRACE_S]
        if not known:
            undecided += 1
            decide.append(group.end_s - group.onset_s)
            isolate.append(group.end_s - group.onset_s)
            continue
        decide.append(min(known) - group.onset_s)
        isolate.append((max(known) if len(known) == len(firsts) else group.end_s) - group.onset_s)
    return tuple(decide), tuple(isolate), undecided


def _repeated(group: Episode, groups: Sequence[Episode]) -> bool:
    return any(other.onset_s < group.onset_s and set(other.sources) & set(group.sources) for other in groups)


def protections(
    groups: Sequence[Episode], plan: Plan, slots: int, ages: Sequence[tuple[float, Sequence[float]]], limit_s: float
) -> tuple[float, ...]:
    """Seconds to protect, by episode. `ages` are (moment, oldest waiting record by slot)."""
    found = []
    for group in groups:
        mine = _slots(group, plan, slots)
        later = [g.onset_s for g in groups if g.onset_s > group.onset_s and _slots(g, plan, slots) & mine]
        until = min(later, default=float("inf"))
        over = [at for at, by in ages if group.onset_s <= at < until and max(by[s] for s in mine) > limit_s]
        found.append(max(over) - group.onset_s if over else 0.0)
    return tuple(found)


def _slots(group: Episode, plan: Plan, slots: int) -> set[int]:
    return {p % slots for n in group.sources for p in np.flatnonzero(plan.sources[n].share > 0).tolist()}


def restores(
    events: Sequence[Event],
    truth: Truth,
    lanes_drained_s: dict[tuple[float, int], float],
    end_s: float,
    last_drained_s: dict[int, float],
) -> tuple[tuple[float, ...], int, int]:
    """Restore delays of the culprits, how many were never restored, and how many came early.

    `lanes_drained_s` gives, for a restore (moment, token), when the token's side lane last held anything on its partitions; `last_drained_s` the same by
    token at the end of the run.
    """
    delays: list[float] = []
    missing = early = 0
    for token, spans in truth.spans.items():
        away = False
        for event in (e for e in events if e.token == token and e.kind in {MOVE, RESTORE}):
            if event.kind == MOVE:
                away = True
                continue
            away = False
            past = [end for begin, end in spans if begin <= event.at_s]
            if truth.blamed(token, event.at_s):
                early += 1
            elif past:
                delays.append(max(0.0, event.at_s - max(past[-1], lanes_drained_s[event.at_s, token])))
        if away:
            calm_s = max(spans[-1][1], last_drained_s.get(token, 0.0))
            if end_s > calm_s:
                missing += 1
                delays.append(end_s - calm_s)
    return tuple(delays), missing, early


def most_in_an_hour(events: Sequence[Event]) -> int:
    """The most moves (or limits) of one token within an hour."""
    most = 0
    by_token: dict[int, list[float]] = {}
    for event in events:
        if event.away:
            times = by_token.setdefault(event.token, [])
            times.append(event.at_s)
            most = max(most, sum(1 for at in times if event.at_s - at < HOUR_S))
    return most


def flaps(events: Sequence[Event]) -> int:
    """Moves soon after a restore of the same token."""
    count = 0
    back: dict[int, float] = {}
    for event in events:
        if event.kind in {RESTORE, LIFT}:
            back[event.token] = event.at_s
        elif event.away and event.at_s - back.get(event.token, -FLAP_S) < FLAP_S:
            count += 1
    return count


def false_orders(events: Sequence[Event], truth: Truth, end_s: float) -> tuple[int, int, float]:
    """False orders, different innocent tokens among them, and the minutes that these were away."""
    wrong = [e for e in events if e.away and not truth.blamed(e.token, e.at_s, GRACE_S)]
    innocent = {e.token for e in wrong if e.token not in truth.spans}
    minutes = 0.0
    for token in innocent:
        since: dict[str, float] = {}
        for event in (e for e in events if e.token == token):
            what = "lane" if event.kind in {MOVE, RESTORE} else "limit"
            if event.away:
                since.setdefault(what, event.at_s)
            elif what in since:
                minutes += (event.at_s - since.pop(what)) / 60
        minutes += sum(end_s - at for at in since.values()) / 60
    return len(wrong), len({e.token for e in wrong}), minutes
