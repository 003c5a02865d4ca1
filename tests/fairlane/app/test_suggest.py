"""Mode suggest from end to end on the real broker: a flood is proposed on the page, answered there, and what was recorded of it can be drawn."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from fairlane.app.desk import KafkaDesk
from fairlane.app.live import KafkaSource
from fairlane.app.main import create_app
from fairlane.app.origin import COOKIE
from fairlane.database import open_database
from fairlane.stack.kafka import LocalKafka
from fairlane.traces import TraceRecorder
from ingestion.config import PipelineConfig
from ingestion.contracts.routes import Mode
from ingestion.lanes.topics import ensure_topics
from isolator.controller import Controller
from isolator.marks import MarkKind
from isolator.projection import NoProjection
from slo.clock import SystemClock
from tests.support.control import POLICY, Feed
from tests.support.served import served

pytestmark = pytest.mark.kafka

LIMIT_S = 30.0
# a proposal is answered at once or never, and comes again as soon as it has expired
HASTY = replace(POLICY, proposal_s=5.0, repeat_s=5.0)


class Site:
    """The pages of a pipeline under flood, and the person in front of them."""

    def __init__(self, client: httpx.Client, feed: Feed, source: KafkaSource, name: str) -> None:
        self.client = client
        self.feed = feed
        self.source = source
        self.name = name

    def rows(self, word: str) -> list[dict[str, Any]]:
        """What is in that state now or was."""
        body = self.client.get("/api/v1/moves").json()
        return [row for row in (*body["current"], *body["past"]) if row["word"] == word and row["token"] == "flood"]

    def wait(self, word: str) -> dict[str, Any]:
        """The first row in that state."""
        return until(lambda: self.rows(word))[0]

    def press(self, action: str, **fields: str) -> str:
        """Send the page's form; the page that it leads to."""
        self.client.get("/moves")
        data = {"form_token": self.client.cookies[COOKIE], "pipeline": self.name, **fields}
        answer = self.client.post(f"/moves/do/{action}", data=data, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return answer.text


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LIMIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
    return found


@pytest.fixture
def site(kafka: LocalKafka, pipeline_config: PipelineConfig, tmp_path: Path) -> Iterator[Site]:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    name, client, clock = pipeline_config.name, kafka.config().client(), SystemClock()
    database = f"sqlite:///{tmp_path / 'fairlane.db'}"
    engine = open_database(database)
    controller = Controller([name], client, HASTY, clock, CollectorRegistry(), NoProjection(), Mode.SUGGEST)
    recorder = TraceRecorder(client, name, engine)
    source = KafkaSource(client, {name: 30.0}, lambda: open_database(database), clock)
    feed, stop = Feed(kafka, name), threading.Event()
    threads = [threading.Thread(target=part.run, args=(stop,), daemon=True) for part in (controller, recorder)]
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        stack.callback(lambda: [thread.join(15) for thread in threads])
        stack.callback(stop.set)
        stack.callback(feed.end)
        for thread in (*threads, feed):
            thread.start()
        url = stack.enter_context(served(create_app(source, CollectorRegistry(), desk=KafkaDesk(client))))
        yield Site(stack.enter_context(httpx.Client(base_url=url, timeout=15)), feed, source, name)


def test_a_proposal_is_shown_approved_and_declined_and_an_expired_one_is_refused(site: Site) -> None:
    until(lambda: (status := site.source.docket(site.name).status) is not None and status.warm)
    site.feed.flooding.set()
    first = site.wait("asks")
    assert 'action="/moves/do/approve"' in site.client.get(first["href"]).text
    assert first["predicted"].startswith("rho ")

    # nobody answers: it expires, and an answer that comes too late is refused, with the reason
    until(lambda: any(row["id"] == first["id"] for row in site.rows("expired")))
    late = site.client.post("/api/v1/actions/approve", json={"token": first["id"]})
    assert (late.status_code, "has expired" in late.json()["detail"]) == (409, True)
    assert "Refused: the proposal for flood has expired" in site.press("approve", token=first["id"])
    assert not site.rows("moved")

    # it is proposed again, and approved on the page
    second = site.wait("asks")
    page = site.press("approve", token=second["id"], reason="they know", by="ann", back=second["id"])
    assert "Done: flood is wanted in overflow" in page
    moved = site.wait("moved")
    assert (moved["by"], moved["target"]) == ("ann", "overflow")
    assert any(row["id"] == second["id"] for row in site.rows("approved"))
    again = site.client.post("/api/v1/actions/move", json={"token": "flood"})
    assert (again.status_code, "already wanted in overflow" in again.json()["detail"]) == (409, True)

    # what the controller reckoned meanwhile was recorded, and can be drawn
    work = until(lambda: site.client.get(f"/api/v1/moves/{moved['id']}").json()["pictures"][0]["lines"][0]["points"])
    assert work[-1][1] > 1.0

    # brought back while it still floods, it is proposed once more; declined, it is left alone
    assert site.client.post("/api/v1/actions/restore", json={"token": "flood", "reason": "try"}).status_code == 200
    third = site.wait("asks")
    assert "is not proposed again for" in site.press("decline", token=third["id"], reason="we add workers", by="ben")
    assert any(row["id"] == third["id"] for row in site.rows("declined"))
    assert [mark.kind for mark in site.source.docket(site.name).marks_of("flood")] == [MarkKind.BARRED]
    time.sleep(HASTY.repeat_s + 1)
    assert not site.rows("asks")

    # a protected token is not moved, and the answer says why
    protect = {"token": "quiet-1", "reason": "pays for it", "by": "ann"}
    assert site.client.post("/api/v1/actions/protect", json=protect).status_code == 200
    refused = site.client.post("/api/v1/actions/move", json={"token": "quiet-1"})
    assert refused.status_code == 409
    assert "quiet-1 is protected by ann (pays for it)" in refused.json()["detail"]

    # a deploy is told of, and stands on the live page
    assert site.client.post("/v1/changes", json={"service": "worker", "version": "v42", "by": "ci"}).status_code == 200
    until(lambda: "worker v42 by ci" in site.client.get("/").text)
    # the kill switch
    assert site.client.post("/api/v1/actions/mode", json={"mode": "off", "reason": "stop"}).json()["ok"] is True
    until(lambda: site.client.get("/api/v1/moves").json()["mode"] == "off")
