"""The status in one sentence that a tired person can act on."""

from collections.abc import Sequence

from ingestion.contracts.routes import Mode
from isolator import words
from isolator.diagnose import Diagnosis
from isolator.verdict import Verdict


def sentence(
    diagnosis: Diagnosis,
    mode: Mode,
    *,
    note: str,
    active: int,
    moved: Sequence[str],
    culprits: Sequence[Verdict],
    delay_s: float,
    rho: float,
    growth: float,
    warm: bool,
    limited: Sequence[str] = (),
) -> str:
    """One or two sentences; the diagnosis word appears when something is wrong."""
    queue = "under 0.1 s" if delay_s < 0.1 else words.duration(delay_s)
    first = _first(diagnosis, note, active, moved, culprits, queue, rho, growth)
    if limited:
        first += f" {_count(len(limited), 'token')} limited at capture."
    # of moves by hand the policy's state says nothing: it must not deny them
    nobody = "nobody else is moved" if moved else "nobody is moved"
    if mode is Mode.OFF:
        return f"{first} The isolator is off: {nobody}."
    if mode is Mode.AUTO and not warm:
        return f"{first} Baselines are still being learned: {nobody} by the policy yet."
    if mode in {Mode.OBSERVE, Mode.SUGGEST} and culprits:
        return f"{first} Mode {mode}: {'approve the move' if mode is Mode.SUGGEST else nobody}."
    return first


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun} is" if number == 1 else f"{number:,} {noun}s are"


def _first(
    diagnosis: Diagnosis,
    note: str,
    active: int,
    moved: Sequence[str],
    culprits: Sequence[Verdict],
    queue: str,
    rho: float,
    growth: float,
) -> str:
    if diagnosis is Diagnosis.HEALTHY:
        if not moved:
            return f"Healthy. Nobody is moved; {active:,} tokens are active, the longest queue takes {queue}."
        are = "is" if len(moved) == 1 else "are"
        # moved tokens may be silent: they are not among the active ones
        return f"Protected. {len(moved):,} of {max(active, len(moved)):,} tokens {are} moved; the longest queue of everyone else takes {queue}."
    if diagnosis is Diagnosis.HUNG or (diagnosis is Diagnosis.NOISY_TENANT and note):
        return f"{diagnosis}: {note}."
    if diagnosis is Diagnosis.NOISY_TENANT and culprits:
        worst = culprits[0]
        more = f" and {len(culprits) - 1} more" if len(culprits) > 1 else ""
        return (
            f"noisy_tenant: {words.short(worst.token)}{more} brings {words.percent(worst.share)} of the load on "
            f"{words.partitions(worst.partitions, worst.partitions_total)}, {words.times(worst.ratio)} its baseline; rho {words.number(worst.rho_before)}."
        )
    if diagnosis is Diagnosis.CAPACITY:
        more = f"everyone does {words.times(growth)} the usual work" if growth >= 1.2 else "no single tenant stands out"
        scale = f" (about {words.times(rho / 0.8)} the workers)" if rho > 0.8 else ""
        return (
            f"capacity: the general lane is at rho {words.number(rho)} and {more}; {_alone(moved)}, scale out{scale}."
        )
    if diagnosis is Diagnosis.BROAD_OVERLOAD:
        return f"broad_overload: {note}; rho {words.number(rho)}. Approve moves or scale out."
    if diagnosis is Diagnosis.CATCHING_UP:
        return f"catching_up: the longest queue takes {queue} and shrinks (rho {words.number(rho)})."
    if diagnosis is Diagnosis.STALE_INPUT:
        return f"stale_input: {note}; no new moves until it is back."
    return f"{diagnosis}: {note}. Nobody is moved for it."


def _alone(moved: Sequence[str]) -> str:
    return f"{len(moved):,} moved, nobody stands out" if moved else "nobody to move"
