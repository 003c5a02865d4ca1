"""What the user of the demo asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fairlane.demo.scenes import SceneName

CALM_S: Final = 20.0
"""Calm time before a restore in the demo (60 s in production)."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the demo."""

    scene: SceneName = SceneName.FLOOD
    tokens: int = 5_000
    seed: int = 1
    mode: str = "auto"
    trace: Path | None = None
