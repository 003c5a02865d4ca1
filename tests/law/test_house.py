"""Laws of the house: small modules, typed rooms, imports that point down, no open ends."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOMS, ROOT, modules

MAX_LINES = 400
LIMIT_S = 120
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()


def test_no_module_is_longer_than_can_be_read_in_one_go() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_open_ends_are_left() -> None:
    assert [
        str(path.relative_to(ROOT)) for path in modules() if OPEN_END.search(path.read_text(encoding="utf-8"))
    ] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.stat().st_size and not path.read_text(encoding="utf-8").lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_imports_point_down() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout
