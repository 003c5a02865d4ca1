"""Every alert has a runbook with the four headings, and every runbook an alert."""

import re
from pathlib import Path

from alerts.rules import alerts
from alerts.runbooks import HEADINGS, path, problems, registry
from fairlane.cli.docs import error_classes
from tests.support.repository import ROOT

DOCS = ROOT / "docs"


def test_every_alert_has_a_complete_runbook() -> None:
    assert problems(DOCS) == []
    assert len(registry(DOCS)) == len(list(alerts()))


def test_a_missing_section_and_a_stray_runbook_are_found(tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    for alert in alerts():
        path(alert, tmp_path).write_text("".join(f"## {h}\n\ntext\n\n" for h in HEADINGS), encoding="utf-8")
    assert problems(tmp_path) == []
    first = next(alerts())
    path(first, tmp_path).write_text("## Meaning\n\ntext\n\n## Impact\n\n## Diagnosis\n\ntext\n", encoding="utf-8")
    (tmp_path / "runbooks" / "FairlaneGone.md").write_text("", encoding="utf-8")
    assert problems(tmp_path) == [
        f"{first.name}: section 'Impact' is missing or empty",
        f"{first.name}: section 'Mitigation' is missing or empty",
        "FairlaneGone: a runbook without an alert",
    ]


def test_the_pages_name_only_runbooks_that_exist() -> None:
    named = {
        name
        for path in (ROOT / "fairlane").rglob("*.py")
        for name in re.findall(r'"(Fairlane[A-Z]\w+)"', path.read_text(encoding="utf-8"))
    }
    assert named - set(registry(DOCS)) - {cls.__name__ for cls in error_classes()} == set()


def test_every_runbook_names_a_command_or_a_place_to_look() -> None:
    for file in registry(DOCS).values():
        assert "`" in file.read_text(encoding="utf-8"), file.name
