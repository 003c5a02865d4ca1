"""The demo's handler: spends what each event asks for, then writes to the default SQL sink."""

import threading
import time
from collections.abc import Sequence
from math import inf

import orjson

from fairlane.demo.load import HANG_MS
from ingestion.contracts.records import Done, Outcome, Record
from ingestion.lanes.handler import HandlerContext
from ingestion.sinks.sql import SqlHandler

MAX_COST_MS = 5_000.0


class DemoHandler:
    """Work is slept, not burned: the demo shows queues, and leaves the processors to the pipeline."""

    def __init__(self, context: HandlerContext) -> None:
        self._sink = SqlHandler(context)

    def handle(self, batch: Sequence[Record], /) -> Sequence[Outcome]:
        """Spend the batch's cost, then sink it; the cost is reported per record."""
        costs = [cost_s(record.value) for record in batch]
        if inf in costs:
            threading.Event().wait()  # as a call does whose answer never comes
        time.sleep(sum(costs))
        outcomes = self._sink.handle(batch)
        return [
            Done(cost) if isinstance(outcome, Done) else outcome for cost, outcome in zip(costs, outcomes, strict=True)
        ]


def cost_s(value: bytes) -> float:
    """Seconds of work that a payload asks for; 0 when it asks for none, infinite when it hangs."""
    try:
        properties = orjson.loads(value).get("properties", {})
        cost_ms = float(properties.get("cost_ms", 0.0))
        return inf if cost_ms == HANG_MS else min(max(cost_ms, 0.0), MAX_COST_MS) / 1_000
    except (ValueError, TypeError, AttributeError):
        return 0.0
