"""Kafka's jars: whole or not at all, checked, and fetched once however many ask."""

import threading
from pathlib import Path

import pytest

from fairlane.stack import artifacts
from slo.errors import StackUnavailable


@pytest.fixture(autouse=True)
def no_kafka_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_HOME", raising=False)


def offered(tmp_path: Path, content: bytes) -> Path:
    jar = tmp_path / "offered" / "kafka.jar"
    jar.parent.mkdir(exist_ok=True)
    jar.write_bytes(content)
    return jar


GOOD = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc"


def test_the_recorded_set_is_a_broker() -> None:
    names = artifacts.expected()
    assert len(names) == 46
    assert f"kafka_2.13-{artifacts.KAFKA_VERSION}.jar" in names
    assert all(len(digest) == 64 for digest in names.values())


def test_a_changed_jar_is_refused_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "expected", lambda: {"kafka.jar": GOOD})
    monkeypatch.setattr(artifacts, "_resolve", lambda _repository, _report: [offered(tmp_path, b"abd")])
    with pytest.raises(StackUnavailable, match=r"kafka\.jar differ"):
        artifacts.find(tmp_path / "cache", quiet=True)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".download.lock"]


def test_a_missing_jar_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "expected", lambda: {"kafka.jar": GOOD, "other.jar": GOOD})
    monkeypatch.setattr(artifacts, "_resolve", lambda _repository, _report: [offered(tmp_path, b"abc")])
    with pytest.raises(StackUnavailable, match=r"other\.jar"):
        artifacts.find(tmp_path / "cache", quiet=True)


def test_many_askers_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []

    def resolve(_repository: Path, _report: object) -> list[Path]:
        fetched.append(1)
        threading.Event().wait(0.3)
        return [offered(tmp_path, b"abc")]

    monkeypatch.setattr(artifacts, "expected", lambda: {"kafka.jar": GOOD})
    monkeypatch.setattr(artifacts, "_resolve", resolve)
    found: list[artifacts.Jars] = []
    askers = [
        threading.Thread(target=lambda: found.append(artifacts.find(tmp_path / "cache", quiet=True))) for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=20)
    assert len(fetched) == 1
    assert {jars.directory for jars in found} == {tmp_path / "cache" / f"kafka-{artifacts.KAFKA_VERSION}"}
    assert len(found) == 4


def test_a_full_or_forbidden_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(StackUnavailable, match="KAFKA_HOME"):
        artifacts.find(tmp_path / "cache", quiet=True)


@pytest.mark.parametrize(("jar", "says"), [(None, r"holds no kafka_2"), ("kafka_2.13-3.9.0.jar", r"is Kafka 3\.9\.0")])
def test_a_wrong_kafka_home_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jar: str | None, says: str
) -> None:
    (tmp_path / "libs").mkdir()
    if jar:
        (tmp_path / "libs" / jar).touch()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(StackUnavailable, match=says):
        artifacts.find(tmp_path / "cache")


def test_kafka_home_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-4.2.0.jar").touch()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    assert artifacts.find(tmp_path / "cache") == artifacts.Jars(tmp_path / "libs", "4.2.0")
