"""Limits and budgets in every state, with a hundred days of samples, for the Capacity page."""

import numpy as np
from sqlalchemy import Engine

from fairlane.capacity.watched import Watched
from slo.capacity.limit import DAY, Budget, Limit
from slo.capacity.store import Samples

NOW = 1_795_600_000.0
LIMITS = (
    Limit(
        "kafka-disk",
        "Disk of the brokers",
        "bytes",
        0.7e12,
        0.9e12,
        90,
        "streams",
        "CAP-12 larger volumes",
        link="https://tickets.example/CAP-12",
    ),
    Limit("connections", "PostgreSQL connections", "count", 250, 480, 14, "storage", "CAP-19 a pooler"),
    Limit("person-rows", "Rows of the person table", "count", 1.6e9, 2.0e9, 90, "people", "CAP-7 partition it"),
    Limit("partitions", "Utilisation of the busiest partition", "share", 0.7, 1.0, 14, "streams", "more partitions"),
    Limit("licences", "Seats", "count", 80, 100, 30, "it", "buy seats"),
    Limit("new-thing", "Just begun", "seconds", 600, 900, 3, "streams", "more workers"),
)
BUDGETS = (
    Budget("warehouse", "Warehouse queries", 12_000, "EUR", "data"),
    Budget("kafka", "Brokers and traffic", 5_000, "EUR", "streams"),
    Budget("unknown", "Never told", 100, "USD", "it"),
)
EVERYTHING = Watched(LIMITS, BUDGETS)


def fill(engine: Engine) -> None:
    """Red: kafka-disk. Yellow: connections (past its trigger), warehouse. Never told: licences, unknown. Young: new-thing. The rest has room."""
    random = np.random.default_rng(1)
    days = np.arange(100)
    first = int(NOW) // DAY - 99
    weekday = (first + days) % 7
    noise = random.standard_normal(100)
    values = {
        "kafka-disk": 0.45e12 + 2.7e9 * days + 8e9 * (weekday < 2) + 4e9 * noise,
        "connections": 200 + 1.0 * days + 20 * (weekday < 5) + 8 * noise,
        "person-rows": 1.1e9 * np.exp(0.0013 * days) + 2e6 * noise,
        "partitions": 0.41 + 0.02 * noise + 0.05 * (weekday < 4),
        "warehouse": 390 + 60 * (days > 93) + 5 * noise,
        "kafka": 150 + 3 * noise,
    }
    put = {
        (name, (first + int(n)) * DAY + 3 * 3600): float(some[n])
        for name, some in values.items()
        for n in days
        if name != "partitions" or not 60 <= n < 68
    }
    put |= {("new-thing", (first + n) * DAY + 3600): 5.0 for n in range(94, 100)}
    Samples(engine).put(put)
