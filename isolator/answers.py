"""The controller's answer to a command, in `answer/PIPELINE/ID`; tombstoned after an hour."""

from dataclasses import asdict, dataclass, fields

import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command. `problem` names the error's kind (slo.errors) when it was refused, "" when it was done."""

    pipeline: str
    id: str
    at_ms: int
    ok: bool
    message: str
    problem: str = ""
    verdict_id: str = ""

    def encode(self) -> tuple[bytes, bytes]:
        """Key and value for the state topic."""
        return f"answer/{self.pipeline}/{self.id}".encode(), orjson.dumps(asdict(self))

    @staticmethod
    def decode(value: bytes) -> "Answer":
        """The answer in a state record's value. Raises ValueError, KeyError or TypeError when it is not one."""
        raw = orjson.loads(value)
        return Answer(**{f.name: raw[f.name] for f in fields(Answer) if f.name in raw})
