"""Which Java is taken."""

from pathlib import Path

import pytest

from fairlane.stack import java
from slo.errors import StackUnavailable


def fake(home: Path, version: str) -> Path:
    binary = home / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    binary.chmod(0o755)
    return binary


@pytest.mark.parametrize(("said", "major"), [("17.0.15", 17), ("1.8.0_292", 8), ("25", 25), ("22-ea", 22)])
def test_versions_are_read(tmp_path: Path, said: str, major: int) -> None:
    assert java.major(fake(tmp_path, said)) == major


def test_what_is_no_java_has_no_version(tmp_path: Path) -> None:
    assert java.major(tmp_path / "nothing") is None


def test_java_home_wins_when_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = fake(tmp_path, "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java.find() == wanted


def test_an_old_java_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake(tmp_path, "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = java.find()
    assert found != old
    assert (java.major(found) or 0) >= java.OLDEST


def test_only_old_ones_are_named_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_candidates", lambda: [fake(tmp_path, "11.0.2")])
    with pytest.raises(StackUnavailable, match=r"Java 11.*JAVA_HOME"):
        java.find()
