"""Traces: what is read, and what is refused with line and column."""

import gzip
from pathlib import Path

import pytest

from isolator.simulate import traces
from slo.errors import ConfigError

HEAD = "t,dur,token,records,bytes,work_ms\n"


def written(tmp_path: Path, text: str, name: str = "x.csv") -> Path:
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_trace_is_read_plain_or_packed(tmp_path, name):
    found = traces.read(written(tmp_path, HEAD + "0,10,a,100.0,0,250\n5,10,b,1,0,2.5\n\n", name))
    assert found.names == ["a", "b"]
    assert found.work_s.tolist() == [0.25, 0.0025]
    assert found.length_s == 15.0
    assert found.faster(5).length_s == 3.0
    assert found.faster(5).records.tolist() == [100.0, 1.0]


def test_a_trace_may_count_from_1970(tmp_path):
    found = traces.read(written(tmp_path, HEAD + "1700000000.5,10,a,1,0,1\n1700000005,10,b,1,0,1\n"))
    assert found.begin_s.tolist() == [0.5, 5.0]
    assert found.length_s == 15.0


def test_columns_may_come_in_any_order_and_tell_the_keys(tmp_path):
    found = traces.read(written(tmp_path, "token,t,keys,dur,records,work_ms,bytes\na,0,3,1,1,1,1\nb,1,70,1,1,1,1\n"))
    assert found.keys.tolist() == [3, 70]


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_trace_from_a_spreadsheet_is_read(tmp_path, name):
    assert traces.read(written(tmp_path, "\ufeff" + HEAD + "0,1,a,1,0,1\n", name)).names == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (HEAD, "no rows"),
        ("t,dur,token,records\n0,1,a,1\n", "line 1: columns bytes, work_ms missing"),
        (HEAD + "0,1,a,1,0,1\n0,1,a,-4,0,1\n", "line 3, column records: -4 is negative"),
        (HEAD + "0,1,a,1,0,nan\n", "line 2, column work_ms: nan is not a finite number"),
        (HEAD + "0,1,a,1,inf,1\n", "line 2, column bytes: inf is not a finite number"),
        (HEAD + "0,1,a,many,0,1\n", "line 2, column records: 'many' is not a number"),
        (HEAD + "5,1,a,1,0,1\n4,1,a,1,0,1\n", "line 3, column t: 4 is before 5"),
        (HEAD + "0,0,a,1,0,1\n", "line 2, column dur: a row must last longer"),
        (HEAD + "0,1e-308,a,1,0,1\n", "line 2, column dur: a row must last longer"),
        (HEAD + "0,1,a,1e308,0,1\n", "line 2, column records: 1e308 is more than"),
        (HEAD.strip() + ",keys\n0,1,a,1,0,1,1e19\n", "line 2, column keys: 1e19 is more than"),
        (HEAD + "0,1,,1,0,1\n", "line 2, column token: is empty"),
        (HEAD + "0,1,a\n", "line 2: has 3 columns, its header has 6"),
    ],
    ids=[
        "empty file",
        "header only",
        "missing columns",
        "negative",
        "nan",
        "infinite",
        "no number",
        "unsorted",
        "no length",
        "hardly any length",
        "too large",
        "too many keys",
        "no token",
        "short row",
    ],
)
def test_bad_input_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(ConfigError, match=r"trace x\.csv") as raised:
        traces.read(written(tmp_path, text))
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


def test_no_file_and_broken_archives_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        traces.read(tmp_path / "none.csv")
    broken = tmp_path / "x.csv.gz"
    broken.write_bytes(b"\x1f\x8b\x08nothing")
    with pytest.raises(ConfigError, match="cannot be read"):
        traces.read(broken)


def test_more_than_fits_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(traces, "MOST_TOKENS", 2)
    with pytest.raises(ConfigError, match="line 4: has more than"):
        traces.read(written(tmp_path, HEAD + "".join(f"0,1,t{i},1,0,1\n" for i in range(4))))
