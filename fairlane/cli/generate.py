"""`fairlane generate`: the Prometheus rules, the Alertmanager configuration and the Grafana dashboards as files, the same bytes each time."""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from alerts import alertmanager, rules
from alerts.config import AlertSettings, Receivers
from alerts.render import to_yaml
from dashboards.build import PAGES, boards
from dashboards.finish import to_json
from fairlane.cli.context import settings_of
from fairlane.objectives import objectives_of
from slo.errors import FairlaneError, UsageError

RULES_FILE = "prometheus/fairlane.rules.yml"
ALERTMANAGER_FILE = "alertmanager/alertmanager.yml"


@dataclass(frozen=True, slots=True)
class File:
    """One artefact on disk; `state` is `written`, `unchanged`, or, with --check, `stale`."""

    path: str
    bytes: int
    sha256: str
    state: str


def artefacts(settings: AlertSettings, pages: str = PAGES, own: Collection[int] = ()) -> dict[str, str]:
    """Relative path to content, in a fixed order. `pages` is the base URL of our web process, to which the boards link; `own` are the windows (seconds) that objectives bring."""
    return {
        RULES_FILE: rules.rules(settings, own),
        ALERTMANAGER_FILE: to_yaml(alertmanager.config(settings)),
        **{f"grafana/{uid}.json": to_json(board) for uid, board in sorted(boards(pages).items())},
    }


def write(out: Path, contents: dict[str, str], *, check: bool = False) -> list[File]:
    """Bring `out` up to date (or, with `check`, only compare). Files that are not ours are left alone.

    Raises UsageError when `out` cannot be read or written.
    """
    return [_one(out, relative, text.encode(), check=check) for relative, text in contents.items()]


def _one(out: Path, relative: str, content: bytes, *, check: bool) -> File:
    path = out / relative
    state = "unchanged"
    try:
        if not path.is_file() or path.read_bytes() != content:
            state = "stale" if check else "written"
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    except OSError as error:
        verb = "read" if check else "write"
        raise UsageError(
            f"generate: cannot {verb} {path}: {error.strerror or error}. Choose a directory that you may {verb}: fairlane generate -o DIRECTORY"
        ) from error
    return File(relative, len(content), hashlib.sha256(content).hexdigest(), state)


def check_url(name: str, url: str) -> None:
    """Raises UsageError, naming the option, for what nobody could open: an alert must not be the first to find out. Empty is fine: that link is left out."""
    if not url:
        return
    example = f"{name} {url}: write a whole URL, such as https://example.org/path"
    if any(character.isspace() or ord(character) < 32 for character in url):
        raise UsageError(f"generate: {example}; it has a blank in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"generate: {example} ({error})") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UsageError(f"generate: {example}")
    unknown = set(re.findall(r"{[^}]*}?", url)) - ({"{alert}"} if name == "--runbooks" else set())
    if unknown:
        raise UsageError(
            f"generate: {name} {url}: {', '.join(sorted(unknown))} stands for nothing; only {{alert}} does, in --runbooks"
        )


def generate(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory to write to.")] = Path("build"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when a file is missing or differs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
    runbooks: Annotated[
        str, typer.Option(help="Where runbooks are read; {alert} stands for the name.")
    ] = AlertSettings().runbooks,
    grafana: Annotated[str, typer.Option(help="Base URL of Grafana.")] = AlertSettings().grafana,
    pages: Annotated[str, typer.Option(help="Base URL of our web process, for links from the boards.")] = PAGES,
    owner: Annotated[str, typer.Option(help="The alerts' label `owner`.")] = AlertSettings().owner,
    webhook: Annotated[str, typer.Option(help="URL that gets every tier as Alertmanager's webhook JSON.")] = "",
    pagerduty_key_file: Annotated[
        str, typer.Option(help="File with a PagerDuty routing key, where Alertmanager runs.")
    ] = "",
    slack_url_file: Annotated[str, typer.Option(help="File with a Slack webhook URL, where Alertmanager runs.")] = "",
    slack_channel: Annotated[str, typer.Option(help="Slack channel.")] = Receivers().slack_channel,
    heartbeat: Annotated[str, typer.Option(help="URL of an external dead man's switch, fed by the Watchdog.")] = "",
) -> None:
    """Write the Prometheus rules, the Alertmanager configuration and the Grafana dashboards."""
    urls = {
        "--runbooks": runbooks,
        "--grafana": grafana,
        "--pages": pages,
        "--webhook": webhook,
        "--heartbeat": heartbeat,
    }
    for name, url in urls.items():
        check_url(name, url)
    receivers = Receivers(webhook, pagerduty_key_file, slack_url_file, slack_channel, heartbeat)
    own = rules.own_windows(objectives_of(settings_of(context)))
    files = write(out, artefacts(AlertSettings(runbooks, grafana, owner, receivers), pages, own), check=check)
    if as_json:
        counts = {
            "alerts": len(list(rules.alerts())),
            "recordings": len(list(rules.recordings(own))),
            "dashboards": len(boards()),
        }
        print(json.dumps({"out": str(out), **counts, "files": [asdict(file) for file in files]}))
    else:
        for file in files:
            print(f"{file.state:<9}  {out / file.path}  {file.bytes:,} bytes")
    stale = [file.path for file in files if file.state == "stale"]
    if stale:
        raise FairlaneError(
            f"generate: {len(stale)} of {len(files)} files under {out} are missing or out of date ({', '.join(stale)}). Run: fairlane generate -o {out}"
        )
