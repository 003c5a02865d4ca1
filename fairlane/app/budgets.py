"""Burn rows from the database, read in a thread of their own so that a slow database never holds the page up."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fairlane.app import words
from fairlane.app.observation import BurnNow, Pair, Part
from slo.errors import FairlaneError
from slo.evaluation import Evaluation
from slo.history import History

EVERY_S: Final = 5.0
OLD_S: Final = 120.0
"""Evaluations come each 15 s; one that is older than this does not say how things are now."""
log = logging.getLogger(__name__)


class Budgets:
    """The newest evaluations of some pipelines. `open_engine` is called in the thread, again and again until it works."""

    def __init__(self, open_engine: Callable[[], Engine], pipelines: Sequence[str]) -> None:
        self.part = Part("database", ok=True)
        self._open = open_engine
        self._rows: Mapping[str, tuple[Evaluation, ...]] = dict.fromkeys(pipelines, ())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name="page-budgets", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; waits 3 s for a read under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(3)

    def rows(self, pipeline: str, now_s: float) -> tuple[BurnNow, ...]:
        """The burn rows as of the last read that worked."""
        return tuple(burn_now(row, now_s) for row in self._rows[pipeline])

    def _run(self) -> None:
        engine: Engine | None = None
        while not self._stop.is_set():
            try:
                engine = engine or self._open()
                history = History(engine)
                newest = tuple(history.newest().values())
                # what belongs to no pipeline that is shown here (exports, dashboards) is everybody's
                self._rows = {
                    name: tuple(e for e in newest if e.pipeline == name or e.pipeline not in self._rows)
                    for name in self._rows
                }
                self.part = Part("database", ok=True)
            except (SQLAlchemyError, FairlaneError, ValueError, KeyError, TypeError) as error:
                why = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
                log.warning("budgets cannot be read: %s", why[0])
                self.part = Part(
                    "database", ok=False, detail=f"Budgets are not refreshed: {why[0].rstrip('.')}. Check database.url."
                )
            self._stop.wait(EVERY_S)
        if engine is not None:
            engine.dispose()


def burn_now(row: Evaluation, now_s: float) -> BurnNow:
    """An evaluation as a burn row; an old one is frozen, whatever it said."""
    pairs = tuple(
        Pair(pair.long_window, pair.short_window, pair.long_burn, pair.short_burn, pair.threshold, pair.tier)
        for pair in row.pairs
    )
    worst = row.pairs[0] if row.pairs else None
    severity = str(row.severity)
    burn = BurnNow(
        row.slo,
        "firing" if row.state == "firing" else "frozen" if row.state == "frozen" else "ok",
        f"{row.target * 100:.6g} %",
        f"{row.window_days}-day",
        pairs,
        row.budget_left,
        row.budget_s,
        row.exhaustion_s,
        # a pair is as well known as the worse known of its windows
        min((c for c in (worst.long_coverage, worst.short_coverage) if c is not None), default=None) if worst else None,
        worst.bad if worst else None,
        worst.total if worst else None,
        "ticket" if severity == "ticket" else "page",
        at_s=row.at_ms / 1000,
        runbook="FairlaneBudgetBurnTicket" if severity == "ticket" else "FairlaneBudgetBurnPage",
    )
    age = now_s - row.at_ms / 1000
    if age > OLD_S:
        return replace(
            burn,
            state="frozen",
            exhausts_s=None,
            note=f"Frozen: last evaluated {words.ago(age)}; nobody evaluates now. Is “fairlane serve controller” running?",
        )
    return burn
