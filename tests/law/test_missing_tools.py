"""A test whose tool is missing says so in the last lines, and is a failure in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("ci", "code", "word"), [("", 0, "1 skipped"), ("true", 1, "forbids to skip")])
def test_it_is_said_aloud(tmp_path: Path, ci: str, code: int, word: str) -> None:
    sample = tmp_path / "test_sample.py"
    sample.write_text("import pytest\n@pytest.mark.prometheus\ndef test_needs_promtool(): ...\n")
    (tmp_path / "conftest.py").symlink_to(ROOT / "tests" / "conftest.py")
    env = {key: value for key, value in os.environ.items() if key != "CI"} | {"PATH": str(tmp_path), "CI": ci}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(tmp_path),
        "-p",
        "no:cacheprovider",
        str(sample),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == code, done.stdout
    assert word in done.stdout
    last = done.stderr.strip().splitlines()
    assert "1 TESTS DID NOT RUN because promtool" in done.stderr
    assert set(last[-1]) == {"!"}
