"""The job: what is read, kept, judged and shown to Prometheus; a source that fails holds up nobody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.capacity.reading import Meters
from fairlane.capacity.watch import Watch
from fairlane.capacity.watched import DISK, OVERFLOW, PARTITION, Watched, watched
from fairlane.scheduler import Scheduler
from fairlane.settings import CapacityConfig, Settings
from ingestion.config import PipelineConfig
from slo.capacity import metrics
from slo.capacity.limit import DAY, Budget, Limit, Own, Query, Source, Told
from slo.capacity.standing import Stage
from slo.capacity.store import Samples
from slo.clock import ManualClock, SystemClock
from slo.errors import ConfigError, Unreachable
from slo.series import put_live, put_points
from tests.support.databases import opened
from tests.support.waiting import until

NOW = 1_795_600_000.0
GOOD = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"42"]}]}}'


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Engine]:
    with opened(f"sqlite:///{tmp_path / 'capacity.db'}") as engine:
        yield engine


def limit(name: str, source: Source, critical: float = 100.0) -> Limit:
    return Limit(name, name, "count", critical * 0.7, critical, 30, "streams", "CAP-1", source)


class Fixed:
    """Reads what a test says."""

    def __init__(self, **values: float | Exception | None) -> None:
        self.values = values

    def read(self, source: Source, _now_s: float) -> float | None:
        found = self.values[source.kind] if isinstance(source, Own) else None
        if isinstance(found, Exception):
            raise found
        return found


def test_a_round_reads_keeps_judges_and_shows(db: Engine) -> None:
    registry, clock = CollectorRegistry(), ManualClock(NOW)
    known = Watched(
        (limit("a", Own("a")), limit("b", Own("b")), limit("c", Own("c")), limit("told", Told())),
        (Budget("money", "Money", 100, "EUR", "data"),),
    )
    today = int(NOW) // DAY
    Samples(db).put({("a", (today - n) * DAY): 90.0 - n for n in range(1, 60)} | {("money", int(NOW)): 5.0})
    watch = Watch(db, known, Fixed(a=90.0, b=None, c=Unreachable("gone")), clock, registry)
    found = watch.go()
    assert [(s.limit.name, s.stage) for s in found.standings] == [
        ("a", Stage.RED),
        ("b", Stage.UNKNOWN),
        ("c", Stage.UNKNOWN),
        ("told", Stage.UNKNOWN),
    ]
    assert Samples(db).read("a", NOW - 3600) == {int(NOW) // 3600 * 3600: 90.0}

    def shown(metric: str, **labels: str) -> float | None:
        return registry.get_sample_value(metric, labels)

    assert shown(metrics.STATE.name, limit="a") == 2
    assert shown(metrics.STATE.name, limit="b") == 3
    assert shown(metrics.CURRENT.name, limit="a") == 90
    assert shown(metrics.CURRENT.name, limit="b") is None, "no data is no zero"
    assert shown(metrics.LEVEL.name, limit="a", level="critical") == 100
    slack = shown(metrics.SLACK.name, limit="a")
    assert slack is not None
    assert slack == pytest.approx(-20 * DAY, abs=1.5 * DAY)
    bounds = [shown(metrics.BREACH.name, limit="a", bound=bound) for bound in ("early", "likely", "late")]
    assert bounds == sorted(bounds)  # type: ignore[type-var]
    assert shown(metrics.SAMPLE_ERRORS.name, limit="c") == 1
    assert shown(metrics.SAMPLE_ERRORS.name, limit="a") == 0
    assert shown(metrics.COST_SPENT.name, budget="money") is not None
    assert shown(metrics.LAST_RUN.name) == NOW


def test_what_is_not_in_sight_shows_infinite_slack(db: Engine) -> None:
    registry = CollectorRegistry()
    today = int(NOW) // DAY
    Samples(db).put({("a", (today - n) * DAY): 10.0 for n in range(1, 60)})
    Watch(db, Watched((limit("a", Own("a")),), ()), Fixed(a=10.0), ManualClock(NOW), registry).go()
    assert registry.get_sample_value(metrics.SLACK.name, {"limit": "a"}) == float("inf")


def test_our_own_limits_are_measured_from_the_disk_and_the_database(db: Engine, tmp_path: Path) -> None:
    meters = Meters(db, "events", tmp_path)
    now_ms = int(NOW * 1000)
    assert (meters.read(Own(DISK), NOW) or 0) > 0
    assert meters.read(Own(PARTITION), NOW) is None
    assert meters.read(Own(OVERFLOW), NOW) is None
    with db.begin() as conn:
        put_points(conn, "events", {("rho_with/0", now_ms - 60_000): 0.5, ("rho_with/1", now_ms - 50_000): 0.8})
        put_points(conn, "events", {("rho_with/0", now_ms - 7_200_000): 3.0, ("delay/0", now_ms): 9.0})
        rows = [["general", 0, 10, 99.0, "exact"], ["overflow", 0, 10, 12.0, "exact"], ["quarantine", 1, 0, None, "x"]]
        put_live(conn, "events", {"lanes": (now_ms - 1_000, rows)})
    assert meters.read(Own(PARTITION), NOW) == 0.8
    assert meters.read(Own(OVERFLOW), NOW) == 12.0
    assert meters.read(Own(OVERFLOW), NOW + 3_600) is None, "an old look says nothing"
    assert meters.read(Told(), NOW) is None
    gone = Meters(db, "events", tmp_path / "nowhere")
    with pytest.raises(Unreachable, match="disk"):
        gone.read(Own(DISK), NOW)


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_prometheus_is_asked_for_one_number(db: Engine, tmp_path: Path) -> None:
    meters = Meters(db, "events", tmp_path)
    with answering(GOOD) as url:
        assert meters.read(Query(url + "/", "max(x)"), NOW) == 42.0
    with answering(b'{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}') as url:
        assert meters.read(Query(url, "7"), NOW) == 7.0
    with answering(b'{"status":"success","data":{"resultType":"vector","result":[]}}') as url:
        assert meters.read(Query(url, "x"), NOW) is None
    with answering(GOOD.replace(b'"42"', b'"NaN"')) as url:
        assert meters.read(Query(url, "x"), NOW) is None


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (GOOD.replace(b'[{"metric"', b'[{"value":[1,"1"]},{"metric"'), 200, "gives 2 series"),
        (b'{"status":"error","error":"parse error"}', 400, "parse error"),
        (b"<html>", 502, "Check the URL"),
        (GOOD[:40], 200, "Check the URL"),
        (GOOD.replace(b"vector", b"matrix"), 200, "neither a vector nor a number"),
        (GOOD.replace(b'"value"', b'"v"'), 200, "without a value"),
        (b"[]", 200, "no reason"),
    ],
    ids=["two series", "refused", "no JSON", "half", "matrix", "no value", "a list"],
)
def test_an_answer_that_is_none_is_said(db: Engine, tmp_path: Path, body: bytes, status: int, reason: str) -> None:
    with answering(body, status) as url, pytest.raises(Unreachable, match=reason):
        Meters(db, "events", tmp_path, timeout_s=5).read(Query(url, "x"), NOW)


@pytest.mark.parametrize("where", ["127.0.0.1:9", "127.0.0.1:http"])
def test_a_password_in_the_address_is_not_told(db: Engine, tmp_path: Path, where: str) -> None:
    with pytest.raises(Unreachable, match=where) as told:
        Meters(db, "events", tmp_path, timeout_s=5).read(Query(f"http://ann:hunter2@{where}/?key=hunter2", "x"), NOW)
    assert "hunter2" not in str(told.value)


def test_nobody_there_is_said(db: Engine, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="Check the URL"):
        Meters(db, "events", tmp_path, timeout_s=2).read(Query("http://127.0.0.1:9", "x"), NOW)


def test_our_own_limits_are_always_watched_and_their_names_are_taken(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "not" / "yet")
    assert [one.name for one in watched(settings).limits] == [
        "events-disk",
        "events-busiest-partition",
        "events-side-lane-wait",
    ]
    file = tmp_path / "c.yaml"
    file.write_text(
        "limits: [{name: events-disk, title: x, trigger: 1, critical: 2, lead_days: 3, owner: a, project: b}]\n"
    )
    clash = settings.model_copy(update={"capacity": CapacityConfig(files=(file,))})
    with pytest.raises(ConfigError, match="events-disk is watched by Fairlane itself"):
        watched(clash)


def test_the_job_runs_beside_the_evaluation_and_again_after_a_failure(db: Engine) -> None:
    registry, runs = CollectorRegistry(), list[int]()

    def job() -> None:
        runs.append(1)
        raise Unreachable("gone")

    scheduler = Scheduler(
        db, PipelineConfig(name="events"), 60.0, SystemClock(), registry, objectives=(), capacity=(job, 0.1)
    )
    scheduler.start()
    try:
        until(lambda: len(runs) > 2, 30)
    finally:
        assert scheduler.stop()
    errors = registry.get_sample_value("fairlane_slo_job_errors_total", {"job": "capacity"})
    assert (errors or 0) > 1
