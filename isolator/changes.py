"""Change notes (`POST /v1/changes`): what people and pipelines deployed, in `change/PIPELINE/ID`. They move nobody; they say what a slow-down may come from."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import orjson

from isolator import words


@dataclass(frozen=True, slots=True)
class Change:
    """One change, at Unix ms."""

    id: str
    pipeline: str
    at_ms: int
    by: str
    service: str = ""
    version: str = ""
    note: str = ""

    def encode(self) -> tuple[bytes, bytes]:
        """Key and value for the state topic."""
        return f"change/{self.pipeline}/{self.id}".encode(), orjson.dumps(self)

    @staticmethod
    def decode(value: bytes) -> "Change":
        """The change in a state record's value; unknown fields are ignored. Raises ValueError, KeyError or TypeError when it is not one."""
        raw = orjson.loads(value)
        return Change(**{f.name: raw[f.name] for f in fields(Change) if f.name in raw})

    def text(self) -> str:
        """What was changed, in a few words: service and version, else the note."""
        return " ".join(part for part in (self.service, self.version) if part) or self.note

    def since(self, now_ms: int) -> str:
        """As the end of a sentence.

        >>> Change("1", "p", 0, "ci", "worker", "v42").since(240_000)
        'since worker v42 by ci, 4 min ago'
        """
        return f"since {self.text()} by {self.by}, {words.duration(max(now_ms - self.at_ms, 0) / 1000)} ago"


def latest(changes: Iterable[Change], at_ms: int, within_s: float) -> Change | None:
    """The newest change of the last `within_s` seconds before `at_ms`, None without one."""
    recent = [c for c in changes if at_ms - within_s * 1000 < c.at_ms <= at_ms]
    return max(recent, key=lambda c: (c.at_ms, c.id), default=None)
