"""Rules that others ship, each as a small policy on the same telemetry. Every module's NOTE says its source, what was simplified, and in whose favour."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from isolator.simulate.contender import Maker
from isolator.simulate.rivals import bucket, foundationdb, none, pulsar, sentry, sqs, volume, zscore
from isolator.simulate.rivals.bucket import Bucket
from isolator.simulate.rivals.foundationdb import TagThrottling
from isolator.simulate.rivals.none import Nothing
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.pulsar import Pulsar
from isolator.simulate.rivals.sentry import Sentry
from isolator.simulate.rivals.sqs import FairQueues
from isolator.simulate.rivals.volume import TopTen
from isolator.simulate.rivals.zscore import ZScore

RIVALS: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        "none": Nothing,
        "token bucket": Bucket("token bucket"),
        "token bucket, tuned": Bucket("token bucket, tuned", None),
        "top-10 by volume": TopTen,
        "z > 6": ZScore,
        "SQS fair queues": FairQueues,
        "FoundationDB tag throttling": TagThrottling,
        "Pulsar PIP-474": Pulsar("Pulsar PIP-474"),
        "Pulsar PIP-474, tuned": Pulsar("Pulsar PIP-474, tuned", tuned=True),
        "Sentry budgets": Sentry("Sentry budgets"),
        "Sentry budgets, tuned": Sentry("Sentry budgets, tuned", None),
    }
)
"""By the name that each carries. A maker can be sent to another process."""
NOTES: Final[Mapping[str, tuple[Note, str]]] = MappingProxyType(
    {
        "none": (none.NOTE, ""),
        "token bucket": (bucket.NOTE, ""),
        "token bucket, tuned": (bucket.NOTE, bucket.TUNED),
        "top-10 by volume": (volume.NOTE, ""),
        "z > 6": (zscore.NOTE, ""),
        "SQS fair queues": (sqs.NOTE, ""),
        "FoundationDB tag throttling": (foundationdb.NOTE, ""),
        "Pulsar PIP-474": (pulsar.NOTE, ""),
        "Pulsar PIP-474, tuned": (pulsar.NOTE, pulsar.TUNED),
        "Sentry budgets": (sentry.NOTE, ""),
        "Sentry budgets, tuned": (sentry.NOTE, sentry.TUNED),
    }
)
"""By the rival's name: what it models, and what a tuned variant changes ("" for the rule as published)."""
