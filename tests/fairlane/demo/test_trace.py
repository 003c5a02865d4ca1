import gzip

import pytest

from fairlane.demo.trace import fit, read
from slo.errors import ConfigError

GOOD = "t,dur,token,records,bytes,work_ms\n0,1,a,2,10,3\n60,10,b,100,10,0\n"


def write(tmp_path, text, name="trace.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_a_trace_is_read_plain_or_compressed(tmp_path, name):
    rows = read(write(tmp_path, GOOD, name))
    assert [(r.t, r.dur, r.token, r.records, r.work_ms) for r in rows] == [(0, 1, "a", 2, 1.5), (60, 10, "b", 100, 0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t,dur,token,records,bytes\n0,1,a,1,1\n", "work_ms are missing"),
        ("t,dur,token,records,bytes,work_ms\n0,1,a,x,1,1\n", "line 2"),
        ("t,dur,token,records,bytes,work_ms\n0,1,a,1,1,1\n0,1,a,-1,1,1\n", "line 3"),
        ("t,dur,token,records,bytes,work_ms\n0,1,a,nan,1,1\n", "finite"),
        ("t,dur,token,records,bytes,work_ms\n0,1,,1,1,1\n", "token is empty"),
        ("t,dur,token,records,bytes,work_ms\n", "no rows"),
        ("t,dur,token,records,bytes,work_ms\n0,1\n", "line 2"),
    ],
)
def test_a_bad_trace_is_refused_with_the_place_and_the_reason(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        read(write(tmp_path, text))


def test_a_trace_that_is_not_there_or_no_archive_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.csv")
    path = tmp_path / "broken.csv.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(path)


def test_fitting_keeps_every_record_when_there_is_room_and_scales_the_work(tmp_path):
    replay = fit(read(write(tmp_path, GOOD)), seconds=10, max_events=1_000, mean_rho=0.5, seed=1)
    events = [e for part in replay for e in part]
    assert len(events) == 102
    assert replay.thinned == 1.0
    assert replay.speedup == pytest.approx(7.0)
    assert sum(e.cost_ms for e in events) == pytest.approx(0.5 * 10_000, rel=0.01)


def test_fitting_thins_a_large_trace_evenly(tmp_path):
    text = "t,dur,token,records,bytes,work_ms\n" + "".join(f"{t},1,tok{t % 7},10,1,1\n" for t in range(1_000))
    replay = fit(read(write(tmp_path, text)), seconds=10, max_events=2_000, mean_rho=0.5, seed=1)
    events = [e for part in replay for e in part]
    assert len(events) == pytest.approx(2_000, rel=0.1)
    halves = len([e for part in list(replay)[: len(replay.slices) // 2] for e in part])
    assert halves == pytest.approx(len(events) / 2, rel=0.1)
