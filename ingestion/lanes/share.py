"""What one partition gives to a chunk: columns of the records taken, and where each goes."""

from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Message

from ingestion.contracts.telemetry import Kind
from ingestion.lanes.layout import Headers

HERE: Final = 0
HOLD: Final = -1
DEAD: Final = -2
"""Placements of a token beside the lane codes 1 and 2 of a forward."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A record that is given up: how it is counted, and why."""

    kind: Kind
    reason: str
    detail: str = ""


NO_TOKEN_VERDICT: Final = Verdict(Kind.INVALID, "no-token", "the record has no readable token header")


@dataclass(slots=True)
class Share:
    """Columns of equal length, in offset order. `codes` None: all are handled here."""

    partition: int
    messages: list[Message]
    headers: list[Headers]
    tokens: list[bytes]
    codes: list[int] | None = None
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    """Index of a record that goes to the dead letters, and why."""
    costs: dict[int, float] | None = None
    """Index of a handled record and its work in seconds; None when nothing was handled."""
    captured: list[bytes] | None = None
    """captured_at as it stands in the headers, empty where they are not in our order; None: not read yet."""

    def __len__(self) -> int:
        """Records."""
        return len(self.messages)

    @property
    def last(self) -> int:
        """The offset of the last record."""
        offset: int | None = self.messages[-1].offset()
        assert offset is not None
        return offset

    def local(self) -> list[int]:
        """Indexes of the records that are handled here."""
        if self.codes is None:
            return list(range(len(self.messages)))
        return [i for i, code in enumerate(self.codes) if code == HERE]

    def forwards(self) -> int:
        """Records that are sent to another lane."""
        return 0 if self.codes is None else self.codes.count(1) + self.codes.count(2)  # the side lanes' codes

    def cut(self, index: int) -> None:
        """Keep only the records before `index`: the others come again."""
        for column in (self.messages, self.headers, self.tokens, self.codes, self.captured):
            if column is not None:
                del column[index:]
        self.verdicts = {i: v for i, v in self.verdicts.items() if i < index}
        if self.costs is not None:
            self.costs = {i: c for i, c in self.costs.items() if i < index}


def condemn(share: Share, index: int, verdict: Verdict) -> None:
    """This record goes to the dead letters."""
    if share.codes is None:
        share.codes = [HERE] * len(share)
    share.codes[index] = DEAD
    share.verdicts[index] = verdict
