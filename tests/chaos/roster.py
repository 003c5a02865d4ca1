"""Every mutant: the rule it breaks, the row of the protocol's model it stands for, the schedule that shows it, and those that a broker cannot show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.chaos import crashes, directed
from tests.chaos.scene import Schedule


@dataclass(frozen=True, slots=True)
class Mutant:
    """`general`, `side`: what plays in those lanes; `true_general`, `true_side`: what plays there when the true worker is put to the same schedule."""

    name: str
    rule: str
    """What is broken, in words."""
    schedule: Schedule
    general: str = ""
    side: str = ""
    true_side: str = ""
    true_general: str = ""


def _general(name: str, rule: str, schedule: Schedule) -> Mutant:
    return Mutant(name, rule, schedule, general=name)


def _side(name: str, rule: str, schedule: Schedule) -> Mutant:
    return Mutant(name, rule, schedule, side=name)


MUTANTS: Final = (
    _general("no-drain", "return without a drain check", directed.early_return),
    Mutant(
        "by-position", "drained by the lane's position, not its commit", directed.early_return, "by-position",
        "tells-position", "tells-position",
    ),
    _general("by-watermark", "drained by the lane's watermark", directed.early_return),
    _general("by-lag", "drained by the lane's lag", directed.stuck_stable_offset),
    _general("off-by-one", "drained at committed >= L", directed.one_short),
    _general("first-forward", "L is the first forward's offset", directed.early_return),
    _general("one-way", "only returns are checked, not lane to lane", directed.lane_to_lane),
    _general("latest-only", "only the entry with the largest L is checked", crashes.lost_and_moved_on),
    _general("wild-timeout", "a wildcard hold times out into a lane F names", crashes.lost_and_timed_out),
    _general("no-hold", "forwarded instead of held, arrivals go on", directed.arrivals_go_on),
    _general("holds-one-record", "a hold lets the token's later records pass", directed.held),
    _general("holds-one-key", "a hold lets the token's other keys pass", directed.held),
    _general("commits-past-held", "a hold lets other tokens pass, commits past it", directed.held),
    _general("forwards-past-held", "a hold lets other tokens pass, forwards them", directed.held),
    _general("per-record", "decided per record, not per chunk", directed.one_chunk),
    _general("decides-early", "decided at fetch, not at take", directed.route_changes_in_the_buffer),
    _general("memory-only", "F only in memory", crashes.takeover),
    _general("drops-metadata", "a commit without forwards drops F", crashes.takeover),
    _general("offsets-first", "offsets and F sent before the flush", crashes.takeover),
    _general("trusts-lost", "lost metadata taken for an empty F", crashes.metadata_lost),
    Mutant("trusts-no-commit", "no committed offset taken for an empty F", crashes.offsets_deleted, "trusts-lost"),
    _general("wild-stable", "the wildcard's L is the lane's last stable offset", crashes.lost_behind_an_open_transaction),
    Mutant(
        "one-hash-latest", "one hash: decided per token, only the entry with the largest L is checked",
        directed.one_hash_moved_on, "one-hash-latest", true_general="one-hash",
    ),
    Mutant(
        "one-hash-timeout", "one hash: decided per token, a hold times out into a lane F names",
        directed.one_hash_timed_out, "one-hash-timeout", true_general="one-hash",
    ),
    _general("suspect-alone", "only the suspect record goes to quarantine", crashes.hang_again),
    _general("suspect-drops-f", "the commit of a suspect drops F", crashes.hang),
    _general("keeps-f", "F from memory after an unknown outcome", crashes.unknown_but_applied),
    _general("no-rewind", "no rewind after an abort", crashes.aborts),
    _general("keeps-buffer", "the buffer is kept after an abort", crashes.aborts),
    _general("counts-outside", "counts produced outside of the transaction", crashes.aborts),
    _general("ahead-position", "commits position() over a full buffer", crashes.dies_after_commit),
    _general("negative-position", "commits position() = -1001 after a seek", crashes.dies_after_commit),
    _general("handles-late", "the handler is called after the commit", crashes.dies_after_commit),
    _general("no-generation", "offsets without the group's generation", crashes.zombie),
    _general("ignores-pending", "a new owner ignores pending offsets", crashes.pending_offsets),
    _general("retry-past", "a Retry is committed past", directed.retries),
    _general("retry-forwards", "forwards behind a Retry are produced", directed.retries),
    _general("takes-tokenless", "a record without a token is handled", directed.tokenless),
    _side("reads-uncommitted", "a lane reads uncommitted", crashes.aborts),
    _side("lane-forwards", "an overflow worker forwards", directed.routes_for_lanes),
    _side("starts-at-end", "a fresh lane starts at the log's end", crashes.late_lane),
    _side("never-idle", "a lane never commits its idle position", crashes.aborted_forwards_only),
    _side("blind-until-record", "a lane knows no position before a record", crashes.aborted_forwards_only),
    _side("commits-last", "a lane commits last + 1, not its position", crashes.forwards_and_lost_metadata),
)  # fmt: skip

NOT_SHOWN: Final[Mapping[str, str]] = {
    "high watermark read before committed(), offsets before flush": "needs both mistakes and a commit between two reads that stand side by side; its second half is offsets-first above",
    "producer kept after a time-out": "librdkafka itself refuses to abort or begin with a producer whose commit timed out",
    "token set only in the metadata, lane never commits idle": "another way to store F, which the worker does not have; never-idle above is the same mistake of the lane",
    "plain commits (after an unknown outcome, or with the last marker kept)": "the worker has no plain commits: every commit is a transaction",
    "a record applied behind its key's Retry": "is the user's handler's mistake: the worker cannot undo an effect",
    "outcome of a hold that is always shorter than the drain": "a known limit, not a mutant: hold_max bounds it, and the controller asks only for lanes that are quick enough",
}
"""Rows of the model that a broker cannot show, and why."""
