"""Laws of the pages: links lead somewhere, commands exist, the folders are those of Diataxis."""

import re

import pytest

from alerts.rules import alerts
from fairlane.cli import docs
from fairlane.cli.lazy import COMMANDS
from tests.support.repository import ROOT, documents

LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"`fairlane ([a-z]+)")
pages = pytest.mark.parametrize("page", list(documents()), ids=lambda page: str(page.relative_to(ROOT)))


@pages
def test_links_lead_somewhere(page) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pages
def test_commands_that_are_named_exist(page) -> None:
    assert set(COMMAND.findall(page.read_text(encoding="utf-8"))) <= set(COMMANDS)


@pages
def test_options_that_are_named_exist(page) -> None:
    known = {path[1]: set() for path, _ in docs.commands() if len(path) > 1}
    for path, command in docs.commands():
        if len(path) > 1:
            known[path[1]] |= {
                name.strip() for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
            }
    for command, rest in re.findall(r"fairlane ([a-z]+)((?:[^`\n]|\\\n)*)", page.read_text(encoding="utf-8")):
        if command in known:
            named = set(re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest))
            assert named <= known[command] | {"--set", "--config", "--state-dir", "--help"}, f"fairlane {command}"


@pages
def test_a_page_has_a_title(page) -> None:
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line and not line.startswith("<!--")]
    assert lines[0].startswith("# ")


def test_every_kind_of_page_is_there() -> None:
    for folder in ("tutorial", "how-to", "reference", "explanation", "decisions", "runbooks"):
        assert list((ROOT / "docs" / folder).glob("*.md")), f"docs/{folder} is empty"


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    reached = {(ROOT / "docs" / link).resolve() for link in LINK.findall(index) if "://" not in link}
    everything = {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {(ROOT / "docs" / "index.md").resolve()}
    assert sorted(str(page.relative_to(ROOT)) for page in everything - reached) == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_command_is_explained_somewhere_besides_the_reference() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in documents() if page.parent.name != "reference")
    assert [name for name in COMMANDS if f"fairlane {name}" not in text] == []


def test_every_alert_is_in_the_reference() -> None:
    assert [alert.name for alert in alerts() if alert.name not in docs.alerts_page()] == []
