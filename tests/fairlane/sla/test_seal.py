"""The seal over a signed month: what it covers, and what its text says of a version."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlane.sla.seal import COVERED, seal_of, version_of

TOLD = {"pipeline": "events", "month": "2026-10", "sha256": "ab" * 32, "by": "M. Varga", "note": "reviewed", "at_ms": 5}


def test_a_seal_is_what_its_description_says() -> None:
    canonical = (
        f'{{"at_ms":5,"by":"M. Varga","month":"2026-10","note":"reviewed","pipeline":"events","sha256":"{"ab" * 32}"}}'
    )
    assert seal_of(**TOLD) == "2:" + hashlib.sha256(b"fairlane-sla-2\n" + canonical.encode()).hexdigest()


@given(st.sampled_from([name for name in TOLD if name != "at_ms"]), st.text(st.characters(exclude_categories=["Cs"])))
def test_another_text_is_another_seal(name: str, other: str) -> None:
    changed = seal_of(**{**TOLD, name: other})
    assert (changed == seal_of(**TOLD)) == (other == TOLD[name])


@given(st.integers(0, 2**53))
def test_another_time_is_another_seal(at_ms: int) -> None:
    assert (seal_of(**{**TOLD, "at_ms": at_ms}) == seal_of(**TOLD)) == (at_ms == 5)


def test_parts_do_not_run_into_each_other() -> None:
    assert seal_of(**{**TOLD, "by": "a", "note": "bc"}) != seal_of(**{**TOLD, "by": "ab", "note": "c"})


def test_a_version_is_known_or_refused() -> None:
    assert (version_of(""), version_of(seal_of(**TOLD))) == (1, 2)
    assert COVERED[1] == ("document",)
    for unknown in ("3:ab", "ab", "1:ab", ":"):
        with pytest.raises(ValueError, match="knows version 2"):
            version_of(unknown)
