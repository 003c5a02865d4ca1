"""The published site: the same bytes, nothing from elsewhere, no tenant, every link leads somewhere."""

import csv
import io
import re
from pathlib import Path

import orjson
import pytest

from fairlane.app.states import State
from fairlane.sla import files
from fairlane.sla.badge import badge
from fairlane.sla.months import Sheet
from fairlane.sla.site import site
from tests.support import sla_story as story


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> list[Sheet]:
    """October signed, May as a draft."""
    directory = tmp_path_factory.mktemp("story")
    clock = story.copy(directory)
    engine = story.opened(directory)
    months = story.months_of(engine, clock)
    months.sign("2026-10", "M. Varga", "reviewed")
    found = [months.get("2026-10"), months.get("2026-05")]
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def written(sheets: list[Sheet]) -> dict[str, bytes]:
    return site(sheets)


def test_the_same_months_give_the_same_bytes(sheets: list[Sheet], written: dict[str, bytes]) -> None:
    assert site(sheets) == written
    assert list(written) == sorted(written)


def test_nothing_is_asked_of_another_host(written: dict[str, bytes]) -> None:
    for path, content in written.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"(?:https?:)?//[a-z]", text) == [], path
        assert "<script" not in text


def test_every_link_leads_to_a_file_of_the_site(written: dict[str, bytes]) -> None:
    for path, content in written.items():
        if path.endswith(".html"):
            links = re.findall(r'(?:href|src)="([^"#]+)', content.decode())
            assert links
            assert [link for link in links if link not in written] == [], path


def test_no_tenant_is_named(written: dict[str, bytes]) -> None:
    everything = b"".join(written.values())
    assert b"One tenant" in everything
    for secret in (b"phc_", b"019a0000", b"/moves"):
        assert secret not in everything


def test_the_summary_is_for_programs(written: dict[str, bytes]) -> None:
    told = orjson.loads(written["summary.json"])
    assert (told["contract"], told["pipeline"], told["zone"]) == ("fairlane-sla-site/1", "events", story.ZONE)
    october, may = told["months"]
    assert (october["month"], october["stage"], october["signed"]["by"]) == ("2026-10", "signed", "M. Varga")
    assert (may["stage"], may["signed"]) == ("draft", None)
    first = next(p for p in may["promises"] if p["name"] == story.ALL)
    assert (first["outcome"], first["target"]) == ("broken", "0.999")
    assert 0.998 < first["achieved"] < 0.999


def test_a_months_json_holds_the_document_that_was_signed(sheets: list[Sheet]) -> None:
    signed = sheets[0].signed
    assert signed is not None
    assert signed.body.encode() in files.json_of(sheets[0])
    assert orjson.loads(files.json_of(sheets[0]))["signed"]["sha256"] == signed.sha256


def test_a_months_csv_has_a_line_a_promise(sheets: list[Sheet]) -> None:
    rows = list(csv.DictReader(io.StringIO(files.csv_of(sheets[1]))))
    assert [row["promise"] for row in rows] == [p.name for p in sheets[1].month.promises]
    assert {row["stage"] for row in rows} == {"draft"}
    assert files.safe("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert (files.safe(None), files.safe(-1.5)) == ("", -1.5)


def test_a_draft_says_that_it_is_one(written: dict[str, bytes]) -> None:
    assert "draft, not signed yet" in written["2026-05.html"].decode()
    assert "signed 3 Nov 2026 by M. Varga" in written["2026-10.html"].decode()


def test_a_badge_is_a_picture_with_a_name(written: dict[str, bytes], tmp_path: Path) -> None:
    text = written["badge.svg"].decode()
    assert text == written["badge-2026-10.svg"].decode()
    assert 'role="img" aria-label="SLA October 2026: 99.96 %"' in text
    assert "&lt;b&gt;" in badge("<b>", "x", State.OK)
    assert badge("a", "1", State.BURNING) != badge("a", "1", State.OK)
