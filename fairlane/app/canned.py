"""Named scenes of the Live page, with made-up numbers, for tests, screenshots and work on the pages without a broker."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from fairlane.app.observation import (
    BurnNow,
    ChangeNow,
    LaneNow,
    MoveNow,
    Observation,
    Pair,
    Part,
    PartitionNow,
    Point,
    ScoreNow,
)
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode

EPOCH: Final = 1_792_584_271.0
"""2026-10-21 12:04:31 UTC: every scene's now."""
NOISY: Final = "phc_ab41c7de90f2e6d8a39f"
PIPELINE: Final = "events"


def calm() -> Observation:
    """Traffic, nobody moved, everybody fresh."""
    return Observation(
        pipeline=PIPELINE,
        at_s=EPOCH,
        pipelines=(PIPELINE,),
        mode=Mode.AUTO,
        diagnosis="healthy",
        active_tokens=5012,
        last_tick_s=EPOCH - 3,
        seen_s=EPOCH - 0.6,
        arrivals=2140.0,
        lanes=(
            LaneNow(Lane.GENERAL, 212, 0.412, 0.384, 0.43, 2138.0, 0.0, 2),
            LaneNow(Lane.OVERFLOW, 0, 0.0, None, 0.0, 0.0, 0.0, 1),
            LaneNow(Lane.QUARANTINE, 0, 0.0, None, 0.0, 0.0, 0.0, 1),
        ),
        partitions=_partitions({}),
        history=_history(_flat, _flat),
        burn=_healthy(),
        scores=_scores(("phc_0d3c5b1aa9e17c2f4410", 1.31, 0.011), ("phc_9a77e2bb3d06c15f8841", 0.62, 0.008)),
    )


def burning() -> Observation:
    """One token floods three partitions of general; nobody has been moved yet."""
    flood = 100.0
    return replace(
        calm(),
        diagnosis="noisy_tenant",
        sentence="",
        arrivals=21_300.0,
        lanes=(
            LaneNow(Lane.GENERAL, 348_211, 94.2, 41.7, 0.99, 4612.0, 0.0, 2),
            LaneNow(Lane.OVERFLOW, 0, 0.0, None, 0.0, 0.0, 0.0, 1),
            LaneNow(Lane.QUARANTINE, 0, 0.0, None, 0.0, 0.0, 0.0, 1),
        ),
        partitions=_partitions({2: (118_400, 88.0), 7: (121_911, 94.2), 9: (107_300, 81.5), 4: (340, 11.2)}),
        history=_history(lambda age: max(flood - age, 0) * 0.94, lambda age: max(flood - age, 0) * 0.94),
        burn=(
            _burn(
                "events-freshness-protected",
                "firing",
                "99.99 %",
                (46.2, 212.0),
                0.71,
                172_800.0 * 0.93,
                1_540,
                333_600,
                "FairlaneBudgetBurnPage",
            ),
            _burn(
                "events-freshness-all",
                "firing",
                "99.9 %",
                (17.4, 88.1),
                0.86,
                900_000.0,
                5_810,
                333_600,
                "FairlaneBudgetBurnPage",
                severity="ticket",
            ),
            *_healthy()[2:],
        ),
        scores=_scores((NOISY, 214.0, 0.83), ("phc_0d3c5b1aa9e17c2f4410", 1.31, 0.003)),
    )


def moved() -> Observation:
    """The culprit is in overflow, everyone else is fresh again; one that calmed down is on its way back, one was restored."""
    return replace(
        calm(),
        sentence="Protected: 1 of 5,012 tokens is moved; everyone else is fresh in 0.4 s.",
        sentence_at_s=EPOCH - 3,
        lanes=(
            LaneNow(Lane.GENERAL, 236, 0.42, 0.401, 0.52, 2178.0, 0.0, 2),
            LaneNow(Lane.OVERFLOW, 48_213, 186.0, None, 1.0, 2300.0, 0.0, 1),
            LaneNow(Lane.QUARANTINE, 0, 0.0, None, 0.0, 0.0, 0.0, 1),
        ),
        partitions=_partitions({7: (88, 0.7)}),
        history=_history(
            lambda age: min(max(430 - age, 0), 186) if age < 430 else 0, lambda age: max(44 - abs(age - 396) * 1.3, 0)
        ),
        moves=(
            MoveNow(
                NOISY,
                Lane.GENERAL,
                Lane.OVERFLOW,
                EPOCH - 371,
                sentence="Work 31x its baseline, 83 % of the load on partitions 2, 7 and 9; 44 s of lag are its; rho 1.9 → 0.52 (predicted 0.5).",
                predicted="rho 1.9 → 0.5, delay 44 s → 0.4 s",
                realised="rho 0.52, delay 0.42 s: it helped",
                observed=(
                    ("work", "31x its baseline, moved from 3x on"),
                    ("share", "83 % of the load on partitions 2, 7, 9"),
                    ("score", "214 (−log₁₀ p), 3 is needed"),
                ),
                alternatives=(
                    "phc_0d…10: work 1.3x its baseline, not anomalous",
                    "phc_9a…41: 0.8 % of capacity, under 2 %",
                ),
                verdict_id="v-1",
            ),
            MoveNow(
                "phc_77c0ffee12ab34cd56ef",
                Lane.OVERFLOW,
                Lane.GENERAL,
                EPOCH - 14,
                sentence="Its work is back to 1.1x its baseline, and rho with it back is 0.54.",
                verdict_id="v-2",
            ),
            MoveNow(
                "phc_51aa7e9b00c1d2e3f405",
                Lane.OVERFLOW,
                Lane.GENERAL,
                EPOCH - 2_700,
                by="anna@example.org",
                sentence="By anna@example.org: import finished.",
                verdict_id="v-3",
                restored=True,
            ),
        ),
        scores=_scores((NOISY, 214.0, 0.83), ("phc_0d3c5b1aa9e17c2f4410", 1.31, 0.003)),
        changes=(ChangeNow(EPOCH - 520, "worker v42", "ci"),),
    )


def capacity() -> Observation:
    """Everyone doubles: no culprit."""
    return replace(
        burning(),
        diagnosis="capacity",
        sentence="capacity: general is at rho 1.4 on 12 of 12 partitions and no token stands out. Scale out: 2 workers are too few, 3 would do.",
        sentence_at_s=EPOCH - 2,
        partitions=_partitions({p: (1200 + 190 * p, 12.0 + p) for p in range(12)}, culprit=""),
        lanes=(LaneNow(Lane.GENERAL, 26_940, 23.0, 19.2, 1.0, 4610.0, 0.0, 2), *calm().lanes[1:]),
        history=_history(lambda age: max(90 - age, 0) * 0.25, lambda age: max(90 - age, 0) * 0.25),
        burn=_healthy(),
        scores=(),
    )


def silent() -> Observation:
    """Reports stopped 42 s ago: nothing is known any more."""
    base = moved()
    return replace(
        base,
        seen_s=EPOCH - 42,
        last_tick_s=EPOCH - 44,
        sentence_at_s=EPOCH - 44,
        history=tuple(point for point in base.history if EPOCH - point.at_s > 42),
        burn=tuple(replace(row, state="frozen", coverage=0.61, exhausts_s=None) for row in base.burn),
    )


def away() -> Observation:
    """Neither Kafka nor the database answers."""
    return Observation(
        pipeline=PIPELINE,
        at_s=EPOCH,
        pipelines=(PIPELINE,),
        parts=(
            Part(
                "kafka",
                ok=False,
                detail="Kafka at 127.0.0.1:9092 does not answer: check that it runs and that kafka.bootstrap is right, “fairlane doctor” looks closer.",
            ),
            Part(
                "database",
                ok=False,
                detail="The database does not answer, so budgets are not shown: check database.url.",
            ),
        ),
    )


def quiet() -> Observation:
    """Everything runs and nobody sends: no traffic is not no data."""
    base = calm()
    return replace(
        base,
        arrivals=0.0,
        active_tokens=0,
        lanes=(LaneNow(Lane.GENERAL, 0, 0.0, 0.21, 0.0, 0.0, 0.0, 2), *base.lanes[1:]),
        partitions=tuple(
            replace(row, lag=0, oldest_age_s=0.0, busy=0.0, token="", share=None) for row in base.partitions
        ),
        history=tuple(
            replace(point, everyone_s=0.0, general_s=0.0, fresh_p50_s=None, fresh_p99_s=None) for point in base.history
        ),
        burn=tuple(
            replace(row, bad=0, total=0, pairs=tuple(replace(p, long_burn=0.0, short_burn=0.0) for p in row.pairs))
            for row in base.burn
        ),
        scores=(),
    )


def fresh_start() -> Observation:
    """Started a moment ago: lanes are seen, nothing has been evaluated, the controller has not ticked."""
    return replace(
        calm(),
        mode=Mode.OBSERVE,
        burn=(),
        scores=(),
        moves=(),
        active_tokens=None,
        last_tick_s=None,
        history=calm().history[-6:],
    )


SCENES: Final[dict[str, Callable[[], Observation]]] = {
    "calm": calm,
    "burning": burning,
    "moved": moved,
    "capacity": capacity,
    "silent": silent,
    "away": away,
    "quiet": quiet,
    "fresh_start": fresh_start,
}


def _flat(_: float) -> float:
    return 0.0


def _noise(at: float) -> float:
    return 0.5 + 0.25 * math.sin(at / 7.3) + 0.2 * math.sin(at / 2.9 + 1) + 0.05 * math.sin(at * 1.7)


def _history(everyone: Callable[[float], float], general: Callable[[float], float]) -> tuple[Point, ...]:
    ages = [float(age) for age in range(898, -1, -2)]
    return tuple(
        Point(
            EPOCH - age,
            round(0.3 + 0.3 * _noise(age) + everyone(age), 3),
            round(0.3 + 0.3 * _noise(age) + general(age), 3),
            round(0.25 + 0.15 * _noise(age + 3) + general(age) * 0.6, 3),
            round(0.7 + 0.5 * _noise(age + 9) + general(age) * 0.97, 3),
        )
        for age in ages
    )


def _partitions(hot: dict[int, tuple[int, float]], culprit: str = NOISY) -> tuple[PartitionNow, ...]:
    return tuple(
        PartitionNow(p, *hot[p], "exact", 0.99, culprit or f"phc_{p:02x}c4e1f0a9b8c7d6e5f4", 0.83 if culprit else 0.06)
        if p in hot
        else PartitionNow(
            p,
            9 + (p * 7) % 23,
            round(0.2 + (p % 5) * 0.05, 2),
            "exact",
            round(0.31 + (p % 4) * 0.05, 2),
            f"phc_{p:02x}c4e1f0a9b8c7d6e5f4",
            0.06,
        )
        for p in range(12)
    )


_PAIRS: Final = (
    ("1h", "5m", 14.4, "page"),
    ("6h", "30m", 6.0, "page"),
    ("1d", "2h", 3.0, "ticket"),
    ("3d", "6h", 1.0, "ticket"),
)


def _burn(
    slo: str,
    state: str,
    target: str,
    worst: tuple[float, float],
    left: float,
    exhausts: float | None,
    bad: int,
    total: int,
    runbook: str,
    severity: str = "page",
) -> BurnNow:
    pairs = tuple(
        Pair(long, short, round(worst[0] / step, 3), round(worst[1] / step, 3), threshold, kind)
        for step, (long, short, threshold, kind) in zip((1, 4, 12, 30), _PAIRS, strict=True)
    )
    allowed = 1 - float(target.rstrip(" %")) / 100
    return BurnNow(
        slo,
        "firing" if state == "firing" else "frozen" if state == "frozen" else "ok",
        target,
        pairs=pairs,
        budget_left=left,
        budget_s=allowed * 30 * 86_400,
        exhausts_s=exhausts,
        coverage=1.0,
        bad=bad,
        total=total,
        severity=severity,
        at_s=EPOCH - 9,
        runbook=runbook,
    )


def _healthy() -> tuple[BurnNow, ...]:
    return (
        _burn(
            "events-freshness-protected",
            "ok",
            "99.99 %",
            (0.1, 0.2),
            0.96,
            None,
            7,
            7_700_000,
            "FairlaneBudgetBurnPage",
        ),
        _burn(
            "events-freshness-all", "ok", "99.9 %", (0.02, 0.04), 0.99, None, 154, 7_700_000, "FairlaneBudgetBurnPage"
        ),
        _burn("events-freshness-moved", "ok", "99 %", (0.3, 0.0), 0.97, None, 12, 4_000, "FairlaneBudgetBurnPage"),
        _burn("events-oldest-age", "ok", "99.9 %", (0.0, 0.0), 1.0, None, 0, 3_600, "FairlaneBudgetBurnPage"),
        _burn(
            "events-capture-availability", "ok", "99.9 %", (0.0, 0.0), 1.0, None, 0, 7_700_000, "FairlaneBudgetBurnPage"
        ),
    )


def _scores(*rows: tuple[str, float, float]) -> tuple[ScoreNow, ...]:
    return tuple(ScoreNow(token, score, share) for token, score, share in rows)
