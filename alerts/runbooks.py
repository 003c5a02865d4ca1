"""Which runbook belongs to which alert: `docs/runbooks/NAME.md`, with the four headings that a tired person looks for."""

from pathlib import Path
from typing import Final

from alerts.model import Alert
from alerts.rules import alerts

HEADINGS: Final = ("Meaning", "Impact", "Diagnosis", "Mitigation")


def path(alert: Alert, docs: Path) -> Path:
    """Where the alert's runbook stands under `docs`."""
    return docs / "runbooks" / f"{alert.name}.md"


def registry(docs: Path) -> dict[str, Path]:
    """Alert name to runbook file, for every alert."""
    return {alert.name: path(alert, docs) for alert in alerts()}


def problems(docs: Path) -> list[str]:
    """What is wrong with the runbooks under `docs`: missing ones, missing or empty sections, files of alerts that no longer exist."""
    known = registry(docs)
    found = [f"{name}: there is no {file.name}" for name, file in known.items() if not file.is_file()]
    for name, file in known.items():
        if file.is_file():
            sections = _sections(file.read_text(encoding="utf-8"))
            found += [f"{name}: section '{h}' is missing or empty" for h in HEADINGS if not sections.get(h)]
    strays = {file.stem for file in (docs / "runbooks").glob("*.md")} - set(known) - {"index"}
    return found + [f"{stray}: a runbook without an alert" for stray in sorted(strays)]


def _sections(text: str) -> dict[str, str]:
    """Second-level headings and the text below each."""
    parts = ("\n" + text).split("\n## ")[1:]
    pairs = (part.partition("\n") for part in parts)
    return {head.strip(): body.strip() for head, _, body in pairs}
