"""A desk for tests of the pages: keeps what was sent, answers what it was told to."""

from ingestion.contracts.telemetry import Command
from isolator.answers import Answer
from slo.errors import FairlaneError


class KeptDesk:
    """Answers ok, or with `error`."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.error: FairlaneError | None = None
        self.verdict_id = ""

    def send(self, wanted: Command) -> Answer:
        """Keep it."""
        self.sent.append(wanted)
        if self.error is not None:
            raise self.error
        return Answer(
            wanted.pipeline, wanted.id, wanted.at_ms, ok=True, message="as you wish", verdict_id=self.verdict_id
        )
