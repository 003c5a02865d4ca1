"""Publishing swaps a directory as a whole, and touches nothing that is not a published site."""

import threading
from pathlib import Path

import pytest

from fairlane.sla import publish as module
from fairlane.sla.publish import publish
from slo.errors import UsageError


def version(n: int, files: int = 3) -> dict[str, bytes]:
    """A site whose every file tells which one it is."""
    head = b'{"contract": "fairlane-sla-site/1", "n": %d}' % n
    return {"summary.json": head, **{f"deep/{f}.html": b"%d" % n for f in range(files)}}


def read(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(params=["in one step", "in two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "in two renames":
        monkeypatch.setattr(module, "_exchange", lambda *_: False)
    return request.param


def test_the_directory_holds_exactly_what_was_published(tmp_path: Path, way: str) -> None:
    out = tmp_path / "www" / "sla"
    for contents in (version(1, 5), version(2)):
        publish(out, contents)
        assert read(out) == contents
    assert [path.name for path in out.parent.iterdir()] == ["sla"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_an_empty_directory_is_filled(tmp_path: Path, way: str) -> None:
    publish(tmp_path, version(1))
    assert read(tmp_path) == version(1)


@pytest.mark.parametrize("fails", ["write", "swap"])
def test_the_old_site_stays_when_the_new_one_cannot_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    out = tmp_path / "site"
    publish(out, version(1))

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_sync" if fails == "write" else "_swap", broken)
        with pytest.raises(UsageError, match="No space left on device"):
            publish(out, version(2))
    assert read(out) == version(1)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".fairlane-publish-site-abc"
    left.mkdir()
    (left / "half.html").write_text("half")
    publish(tmp_path / "site", version(1))
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_old_site_comes_back_after_a_run_that_was_killed_between_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path / "old", version(1))
    (tmp_path / "old").rename(tmp_path / ".fairlane-publish-site-abc-old")
    beside = tmp_path / ".fairlane-publish-site-2-abc"
    beside.mkdir()

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_sync", full)
    with pytest.raises(UsageError, match="No space"):
        publish(tmp_path / "site", version(2))
    assert read(tmp_path / "site") == version(1)
    assert beside.is_dir(), "that is of a site with another name"


def test_two_runs_at_once_do_not_clear_away_each_others_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, sync, begun, go = tmp_path / "site", module._sync, threading.Event(), threading.Event()

    def slow(directory: Path) -> None:
        sync(directory)
        if not begun.is_set():
            begun.set()
            go.wait(5)

    monkeypatch.setattr(module, "_sync", slow)
    first = threading.Thread(target=publish, args=(out, version(1)))
    first.start()
    assert begun.wait(5)
    with monkeypatch.context() as patch:
        patch.setattr(module, "WAIT_S", 0.1)
        with pytest.raises(UsageError, match="another run is publishing there"):
            publish(out, version(2))
    go.set()
    first.join(5)
    assert read(out) == version(1)


@pytest.mark.parametrize("own", [".git/HEAD", "CNAME", "robots.txt"])
def test_a_site_to_which_somebody_added_something_is_left_alone(tmp_path: Path, own: str) -> None:
    out = tmp_path / "site"
    publish(out, version(1))
    (out / own).parent.mkdir(exist_ok=True)
    (out / own).write_text("mine")
    with pytest.raises(UsageError, match="something else than a published site"):
        publish(out, version(2))
    assert (out / own).read_text() == "mine"


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_is_not_a_published_site_is_left_alone(tmp_path: Path, what: str) -> None:
    out = tmp_path / "home"
    if what == "folder":
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
    elif what == "file":
        out.write_text("years of work")
    else:
        (tmp_path / "other").mkdir()
        out.symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match="holds something else than a published site"):
        publish(out, version(1))
    assert out.is_symlink() or out.is_file() or (out / "thesis.tex").read_text() == "years of work"


def test_the_directory_is_there_at_every_moment(tmp_path: Path) -> None:
    """Readers that look while sites are swapped always find a whole one."""
    out = tmp_path / "site"
    publish(out, version(0))
    if not module._exchange(out, out):
        assert not module._exchange(tmp_path / "nothing", out)
    missing, stop = [], threading.Event()

    def look() -> None:
        while not stop.is_set():
            try:
                (out / "summary.json").read_bytes()
            except FileNotFoundError as error:
                missing.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for n in range(1, 20):
            publish(out, version(n))
    finally:
        stop.set()
        reader.join(10)
    assert missing == []
    assert read(out) == version(19)
