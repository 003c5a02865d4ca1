"""Orders to a running worker process: "break, thus, at this point". One small file a worker, taken away when it is carried out.

The engine places an order and sees from the file's absence that the fault was really injected, so that only real faults are counted.
"""

import contextlib
import threading
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from ingestion.lanes.hooks import Point
from tests.support.proxy import Trouble

LINE: Final = frozenset(Trouble)


class Fault(BaseModel):
    """What goes wrong, and where."""

    do: str = ""
    """`kill` or `stop` (once), `abort` or `unknown` (every time), or a `Trouble` of the worker's own connections; nothing when empty."""
    at: Point = Point.COMMITTED
    every: int = 1
    """Only in turns whose number is a multiple of it."""
    only_forwards: bool = True
    """Only in turns that forward something."""
    seconds: float = 0.0
    """How long the line is in trouble."""

    def due(self, point: Point, turn: int, forwards: int) -> bool:
        """Is this the moment?"""
        return bool(self.do) and point is self.at and not turn % self.every and (forwards > 0 or not self.only_forwards)


class Orders:
    """A directory of orders, one file a worker name."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory

    def place(self, name: str, fault: Fault) -> None:
        """Order it; an older order of that worker is replaced."""
        draft = self._directory / f".{name}.{threading.get_ident()}"
        draft.write_text(fault.model_dump_json(), encoding="utf-8")
        draft.replace(self._path(name))

    def open(self, name: str) -> bool:
        """Does it still wait?"""
        return self._path(name).exists()

    def withdraw(self, name: str) -> bool:
        """Take it back; False when it has been carried out meanwhile."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> Fault | None:
        """The worker's side: what is ordered?"""
        with contextlib.suppress(FileNotFoundError):
            return Fault.model_validate_json(self._path(name).read_text(encoding="utf-8"))
        return None

    def _path(self, name: str) -> Path:
        return self._directory / name
