"""The reference pages are what the code says now, and they mention everything."""

import pytest

from alerts.rules import alerts
from fairlane.cli import docs
from fairlane.reference import settings_reference
from tests.support.repository import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES = docs.pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_fresh(name: str) -> None:
    file = REFERENCE / name
    assert file.is_file(), f"docs/reference/{name} is missing. Run: {docs.COMMAND}"
    assert file.read_text(encoding="utf-8") == PAGES[name], (
        f"docs/reference/{name} is not what the code says. Run: {docs.COMMAND}"
    )


def test_every_setting_command_metric_alert_and_error_is_mentioned() -> None:
    text = "".join(PAGES.values())
    wanted = [one.path for one in settings_reference()] + [one.variable for one in settings_reference()]
    wanted += [metric.name for metrics in docs.catalogue().values() for metric in metrics]
    wanted += [" ".join(path) for path, _ in docs.commands()]
    wanted += [alert.name for alert in alerts()] + [cls.__name__ for cls in docs.error_classes()]
    assert [name for name in wanted if f"`{name}`" not in text and f"[{name}]" not in text] == []
    assert len(wanted) > 100


def test_nothing_of_this_machine_stands_in_the_reference() -> None:
    text = "".join(PAGES.values())
    assert str(ROOT) not in text
    assert "/root/" not in text
    assert "/home/" not in text


def test_every_command_says_what_it_does() -> None:
    for path, command in docs.commands():
        assert command.help, f"{' '.join(path)} has no help"


def test_metric_names_are_unique_and_well_formed() -> None:
    metrics = [metric for found in docs.catalogue().values() for metric in found]
    assert len({metric.name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.name.startswith("fairlane_")
        assert (metric.type == "counter") == metric.name.endswith("_total"), metric.name
        assert metric.meaning
        assert len(set(metric.labels)) == len(metric.labels)
