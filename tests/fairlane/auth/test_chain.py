"""Laws of the audit log's chain: whatever is done to it, it is seen, and where."""

import hashlib
import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlane.auth.chain import GENESIS, Entry, Head, Link, canonical, clean, fault, hash_of, link, read

texts = st.text(max_size=20).map(clean)
entries = st.builds(
    Entry,
    st.just(0),
    st.integers(0, 2**53),
    texts,
    texts,
    texts,
    texts,
    st.sampled_from(["ok", "refused", "failed"]),
    st.dictionaries(texts, texts, max_size=3),
)


def chained(several: list[Entry]) -> tuple[list[Link], Head]:
    links: list[Link] = []
    head = Head()
    for one in several:
        links.append(link(one, head))
        head = Head(links[-1].entry.seq, links[-1].hash)
    return links, head


def some(count: int) -> tuple[list[Link], Head]:
    return chained([Entry(0, 1_000 * n, "ann", "key:1", "move", f"t{n}", "ok", {"n": str(n)}) for n in range(count)])


@given(st.lists(entries, max_size=8))
def test_what_was_written_is_sound_and_an_export_reads_back(several: list[Entry]) -> None:
    links, head = chained(several)
    assert fault(links, head) == ""
    assert [read(one.line()) for one in links] == links
    assert fault([read(one.line()) for one in links], None, {head.seq: head.hash} if links else {}) == ""


@given(st.lists(entries, min_size=1, max_size=6), st.data())
def test_an_edited_entry_is_seen_in_its_place(several: list[Entry], data: st.DataObject) -> None:
    links, head = chained(several)
    at = data.draw(st.integers(0, len(links) - 1))
    name = data.draw(st.sampled_from(["at_ms", "actor", "via", "action", "target", "outcome", "details"]))
    before = getattr(links[at].entry, name)
    after = {"at_ms": lambda: before + 1, "details": lambda: {**before, "more": "x"}}.get(name, lambda: before + "x")()
    links[at] = replace(links[at], entry=replace(links[at].entry, **{name: after}))
    said = fault(links, head)
    assert said.startswith(f"entry {at + 1} (")
    assert "it was edited" in said


@given(st.lists(entries, min_size=2, max_size=6), st.data())
def test_an_edited_entry_with_a_new_hash_is_seen_at_the_next_one(several: list[Entry], data: st.DataObject) -> None:
    links, head = chained(several)
    at = data.draw(st.integers(0, len(links) - 1))
    forged = replace(links[at].entry, actor=links[at].entry.actor + "x")
    links[at] = Link(forged, links[at].previous, hash_of(forged, links[at].previous))
    said = fault(links, head)
    last = at == len(links) - 1
    assert said.startswith(f"entry {at + (1 if last else 2)}")
    assert ("kept head" if last else f"does not follow entry {at + 1}") in said


@given(st.lists(entries, min_size=1, max_size=6), st.data())
def test_a_removed_entry_is_seen_wherever_it_was(several: list[Entry], data: st.DataObject) -> None:
    links, head = chained(several)
    at = data.draw(st.integers(0, len(links) - 1))
    del links[at]
    said = fault(links, head)
    expected = f"after entry {at}: the newest entry is missing" if at == len(links) else f"entry {at + 1} is missing"
    assert expected in said


@given(st.lists(entries, min_size=2, max_size=6), st.data())
def test_two_entries_that_changed_places_are_seen(several: list[Entry], data: st.DataObject) -> None:
    links, head = chained(several)
    a, b = sorted(data.draw(st.lists(st.integers(0, len(links) - 1), min_size=2, max_size=2, unique=True)))
    links[a], links[b] = links[b], links[a]
    assert "reordered" in fault(links, head)
    # and when their numbers are set right again
    renumbered = [replace(one, entry=replace(one.entry, seq=n)) for n, one in enumerate(links, 1)]
    assert fault(renumbered, head) != ""


def test_a_cut_end_is_seen_by_the_head_only() -> None:
    links, head = some(5)
    assert fault(links[:3], head) == "after entry 3: the newest 2 entries are missing: the kept head says 5"
    assert fault(links[:3], None) == ""
    assert fault(links[:3], None, {5: head.hash}) == "after entry 3: entry 5, whose hash was written down, is missing"


def test_an_added_entry_is_seen_by_the_head() -> None:
    links, head = some(3)
    more = link(Entry(0, 0, "eve", "os", "mode", "off", "ok", {}), head)
    assert "added or replaced at the end" in fault([*links, more], head)


def test_an_entry_that_stands_twice_is_seen() -> None:
    links, head = some(3)
    assert "stands twice" in fault([links[0], links[1], links[1], links[2]], head)


def test_a_log_rewritten_as_a_whole_is_seen_by_a_head_that_was_written_down() -> None:
    links, head = some(4)
    forged, forged_head = chained([replace(one.entry, actor="eve") for one in links])
    assert fault(forged, forged_head) == "", "within itself it is sound"
    said = fault(forged, forged_head, {2: links[1].hash})
    assert said.startswith("entry 2 (")
    assert "written down" in said
    assert fault(links, head, {2: links[1].hash, 4: head.hash}) == ""


def test_the_hash_is_what_the_documentation_says() -> None:
    one = link(Entry(0, 7, "zoë", "proxy", "mode", "off", "ok", {"b": "2", "a": "1"}), Head())
    text = json.dumps(asdict(one.entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(one.entry) == text.encode()
    assert one.hash == hashlib.sha256(f"fairlane-audit-1\n{GENESIS}\n{text}".encode()).hexdigest()


REST = b',"actor":"a","via":"","action":"","target":"","outcome":"","details":{},"previous":"","hash":""}'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b'{"seq":1,"previous":"","hash":""}',
        b"\xff",
        b'"x"',
        b'{"seq":"1","at_ms":1' + REST,
        b'{"seq":1,"at_ms":null' + REST,
        b'{"seq":true,"at_ms":1' + REST,
    ],
    ids=repr,
)
def test_a_line_that_is_no_entry_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match="entry"):
        read(line)
