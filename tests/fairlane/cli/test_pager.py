"""`fairlane pager`: a test page through every channel, and what waits, told without secrets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fairlane.cli.context import Globals
from fairlane.database import open_database
from fairlane.pager.channels import Webhook
from fairlane.pager.outbox import Outbox
from fairlane.settings import load
from slo.errors import ConfigError
from tests.fairlane.pager.made import finding, found
from tests.support.hooks import hook

SECRET = "s3cr3t"


def fairlane(*args: str, state: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    sets = [part for key, value in settings.items() for part in ("--set", f"pager.{key}={value}")]
    command = [sys.executable, "-m", "fairlane", "--set", f"state_dir={state}", *sets, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_test_page_and_its_end_go_through_every_channel(tmp_path: Path) -> None:
    key, url = tmp_path / "key", tmp_path / "url"
    key.write_text(SECRET)
    with hook() as received:
        url.write_text(f"{received.url}/slack")
        given = {
            "webhook": f"{received.url}/hook",
            "pagerduty_key_file": str(key),
            "pagerduty_url": f"{received.url}/pd",
            "slack_url_file": str(url),
        }
        done = fairlane("pager", "test", "--json", state=tmp_path, **given)
        assert done.returncode == 0, done.stderr
        assert [path for path, _, _ in received.got] == ["/hook", "/hook", "/pd", "/pd", "/slack", "/slack"]
        assert [one["taken"] for one in json.loads(done.stdout)["told"]] == [True] * 6
        assert received.bodies()[2]["routing_key"] == SECRET
        done = fairlane("pager", "test", "--tier", "ticket", "--no-resolve", state=tmp_path, **given)
        assert [path for path, _, _ in received.got[6:]] == ["/hook", "/slack"]
        assert SECRET not in done.stdout + done.stderr


def test_a_channel_that_does_not_take_it_is_named_and_the_exit_code_is_4(tmp_path: Path) -> None:
    done = fairlane("pager", "test", state=tmp_path, webhook=f"http://127.0.0.1:1/{SECRET}")
    assert done.returncode == 4
    assert "webhook did not take" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_without_a_channel_it_says_what_to_set(tmp_path: Path) -> None:
    done = fairlane("pager", "test", state=tmp_path)
    assert (done.returncode, "pager.webhook" in done.stderr) == (2, True)


def test_show_lists_what_stands_and_what_waits(tmp_path: Path) -> None:
    done = fairlane("pager", "show", state=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no alert stands, and no message waits\n")
    engine = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
    outbox = Outbox(engine, [Webhook("http://hook.example")])
    outbox.book(found(finding()), 1_700_000_000_000)
    outbox.failed(outbox.waiting()[0], 1_700_000_005_000, "HTTP 503")
    engine.dispose()
    done = fairlane("pager", "show", "--json", state=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert [one["key"] for one in told["standing"]] == ["FairlaneDeadLetters{pipeline=events}"]
    assert [(one["channel"], one["error"]) for one in told["waiting"]] == [("webhook", "HTTP 503")]


def test_the_configuration_is_shown_without_the_addresses_that_are_secrets(tmp_path: Path) -> None:
    address = f"https://u:{SECRET}@hooks.example/{SECRET}?x={SECRET}"
    done = fairlane("config", "show", state=tmp_path, webhook=address, heartbeat=address)
    assert done.returncode == 0
    assert done.stdout.count("https://hooks.example/********") == 2
    assert SECRET not in done.stdout


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"pager.mode": "builtin"}, "there is nobody to page"),
        ({"pager.webhook": f"ftp://h/{SECRET}"}, "write a whole URL"),
        ({"pager.webhook": f"https://h/{SECRET} x"}, "write a whole URL"),
        ({"pager.targets": [f"worker/{SECRET}"]}, "write a whole URL"),
        ({"pager.mode": "loud"}, "pager.mode"),
        ({"pager.slack": "x"}, "there is no such setting"),
    ],
)
def test_impossible_settings_are_refused_without_being_repeated(given: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load(None, given)
    assert SECRET not in str(caught.value)
    assert Globals().overrides == {}
