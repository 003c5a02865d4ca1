"""Values that cross the state topic, words for people, constants, metrics: round trips and refusals."""

import doctest
import zlib
from dataclasses import fields, replace

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator import marks, snapshot, words
from isolator.answers import Answer
from isolator.constants import Policy
from isolator.diagnose import Diagnosis
from isolator.gauges import Gauges
from isolator.marks import Mark, MarkKind
from isolator.metrics import METRICS
from isolator.say import sentence
from isolator.state import StateView
from isolator.status import PipelineStatus, Score
from isolator.sums import Sums
from isolator.verdict import Alternative, Reason, Verdict, VerdictKind
from slo.errors import ConfigError

VERDICT = Verdict(
    "1-2-move",
    "p",
    "t/with/slashes",
    VerdictKind.MOVE,
    Reason.NOISY_TENANT,
    1_000,
    target=Lane.OVERFLOW,
    partitions=(1, 4),
    partitions_total=12,
    ratio=31.0,
    share=0.83,
    cost_s=0.08,
    baseline_cost_s=0.001,
    rho_before=1.9,
    rho_predicted=0.5,
    lag_blamed_s=12.3,
    alternatives=(Alternative("other-token", 0.1, 1.2, 0.5, "under 3x"),),
)
STATUS = PipelineStatus("p", 5, "auto", "healthy", "Healthy.", (1,), 10, ("t",), (Score("t", 9.0, 2.0, 0.1, 3.0),))


def test_words_read_as_their_examples() -> None:
    assert doctest.testmod(words).failed == 0


def test_a_verdict_comes_back_from_its_bytes() -> None:
    key, value = VERDICT.encode()
    assert key == b"verdict/p/1-2-move"
    assert Verdict.decode(value) == VERDICT
    newer = orjson.dumps({**orjson.loads(value), "added_later": 1})
    assert Verdict.decode(newer) == VERDICT


def test_a_verdict_speaks_in_the_operators_units() -> None:
    said = VERDICT.sentence()
    for part in (
        "moved general -> overflow",
        "31x its baseline",
        "80 ms an event",
        "83 %",
        "partitions 1 and 4",
        "12 s of lag",
        "rho 1.9",
    ):
        assert part in said
    seen = VERDICT.realised(0.52, 0.1, verified=True).sentence()
    assert "1.9 -> 0.52 (predicted 0.5)" in seen


@pytest.mark.parametrize("kind", list(VerdictKind))
@pytest.mark.parametrize("reason", list(Reason))
def test_every_kind_and_reason_makes_a_sentence(kind: VerdictKind, reason: Reason) -> None:
    said = replace(VERDICT, kind=kind, reason=reason, note="because.").sentence()
    assert said[-1] in ".!?"
    assert "{" not in said
    assert "None" not in said


@pytest.mark.parametrize("diagnosis", list(Diagnosis))
@pytest.mark.parametrize("mode", list(Mode))
def test_every_status_sentence_names_what_is_wrong(diagnosis: Diagnosis, mode: Mode) -> None:
    said = sentence(
        diagnosis,
        mode,
        note="why",
        active=5_012,
        moved=["t"],
        culprits=[VERDICT],
        delay_s=0.4,
        rho=1.9,
        growth=1.0,
        warm=True,
    )
    assert str(diagnosis) in said or diagnosis is Diagnosis.HEALTHY
    assert said.endswith(".")


def test_a_status_comes_back_from_its_bytes() -> None:
    key, value = STATUS.encode()
    assert key == b"status/p"
    assert PipelineStatus.decode(value) == STATUS
    assert PipelineStatus.decode(orjson.dumps({**orjson.loads(value), "added_later": [1]})) == STATUS


def test_the_state_view_folds_all_kinds_and_survives_rubbish() -> None:
    view = StateView("p")
    route = Route("p", "a/b", Lane.GENERAL, 0).then(Lane.OVERFLOW, 5)
    mark = Mark(MarkKind.PROTECT, "ops", 1)
    for offset, (key, value) in enumerate(
        [
            route.encode(),
            VERDICT.encode(),
            STATUS.encode(),
            Answer("p", "c1", 1, ok=True, message="done").encode(),
            marks.encode("p", "a/b", (mark,)),
            (b"mode/p", b'{"mode":"auto"}'),
            (b"snapshot/p/0", b"xyz"),
            (b"verdict/p/bad", b"not json"),
            (b"status/p", b"[]"),
            (b"mark/p/bad", b'[{"kind":"odd"}]'),
            (b"snapshot/p/x", b"1"),
            (b"odd/p/1", b"1"),
            (b"verdict/q/1", b"not ours, not read"),
            (None, b""),
        ]
    ):
        view.apply(key, value, offset)
    assert view.table.wanted("a/b") is Lane.OVERFLOW
    assert view.table.mode is Mode.AUTO
    assert view.verdicts == {VERDICT.id: VERDICT}
    assert view.status == STATUS
    assert view.answers["c1"].ok
    assert view.marks == {"a/b": (mark,)}
    assert view.snapshot == {0: b"xyz"}
    assert view.unreadable == 4
    for offset, key in enumerate(
        (VERDICT.encode()[0], b"mark/p/a/b", b"answer/p/c1", b"snapshot/p/0", b"status/p"), 20
    ):
        view.apply(key, None, offset)
    assert not view.verdicts
    assert not view.marks
    assert not view.answers
    assert not view.snapshot
    assert view.status is None
    assert view.table.version == 24


def test_marks_replace_their_kind_and_run_out() -> None:
    first, second = Mark(MarkKind.BARRED, "policy", 0, until_ms=10), Mark(MarkKind.BARRED, "policy", 5, until_ms=50)
    some = marks.with_mark((first, Mark(MarkKind.PROTECT, "ops", 0)), second)
    assert [m.kind for m in some] == [MarkKind.PROTECT, MarkKind.BARRED]
    assert marks.find({"t": some}, "t", 49, MarkKind.BARRED) == second
    assert marks.find({"t": some}, "t", 50, MarkKind.BARRED) is None
    assert marks.encode("p", "t", ())[1] is None


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=20), st.floats(0.6, 1e6)), unique_by=lambda r: r[0], max_size=50)
)
def test_a_snapshot_brings_the_baselines_back(rows: list[tuple[str, float]]) -> None:
    names = [name for name, _ in rows]
    values = np.array([value for _, value in rows], dtype=np.float64)
    sums = Sums(
        values.copy(), values**2, values.copy(), values * 1e-3, 100.0, 20.0, float(values.sum()), 500.0, warm=True
    )
    found = snapshot.decode(snapshot.encode(sums, names, 7))
    assert found is not None
    back_names, back, _ = found
    assert back_names == names
    np.testing.assert_allclose(back.events, values, rtol=1e-4)
    np.testing.assert_allclose(back.work, values * 1e-3, rtol=1e-4)
    assert (back.learned_s, back.ticks, back.active_s, back.warm) == (100.0, 20.0, 500.0, True)


def test_a_snapshot_of_long_tokens_is_cut_into_records_that_a_broker_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "LIMIT", 20_000)
    rng = np.random.default_rng(1)
    names = [rng.bytes(100).hex() for _ in range(2_000)]
    values = np.ones(2_000)
    chunks = snapshot.encode(Sums(values, values, values, values, 1.0), names, 1)
    assert len(chunks) > 5
    assert max(map(len, chunks)) <= 20_000
    found = snapshot.decode(chunks)
    assert found is not None
    assert sorted(found[0]) == sorted(names)


def test_a_snapshot_of_the_first_version_is_still_read() -> None:
    head = {"v": 1, "at_ms": 5, "learned_s": 10.0, "ticks": 2.0, "all_events": 9.0, "active_s": 20.0, "warm": True}
    rows = [["a", 1.0, 2.0, 3.0, 4.0], ["b", 5.0, 6.0, 7.0, 8.0]]
    chunks = [zlib.compress(orjson.dumps({**head, "rows": [row]})) for row in rows]
    found = snapshot.decode(chunks)
    assert found is not None
    names, sums, builds = found
    assert names == ["a", "b"]
    assert sums.of(np.arange(2)).T.tolist() == [row[1:] for row in rows]
    assert (sums.learned_s, sums.ticks, sums.all_events, sums.active_s, sums.warm) == (10.0, 2.0, 9.0, 20.0, True)
    assert not builds.as_dict()
    assert snapshot.taken_ms(chunks) == 5


def _body(**change: object) -> bytes:
    ones = np.ones(1)
    chunk = snapshot.encode(Sums(ones, ones, ones, ones, 1.0), ["whole"], 5)[0]
    body = {**orjson.loads(zlib.decompress(chunk)), **change}
    return zlib.compress(orjson.dumps({key: value for key, value in body.items() if value != "left out"}))


DAMAGE: dict[str, dict[str, object]] = {
    "no names": {"names": "left out"},
    "names are no text": {"names": [7]},
    "more names than numbers": {"names": ["a", "b"]},
    "numbers are no base64": {"numbers": "?"},
    "numbers are cut off": {"numbers": "AAAA"},
    "numbers are not numbers": {"numbers": "AADAfwAAwH8AAMB/AADAfw=="},
    "negative numbers": {"numbers": "AACAvwAAgL8AAIC/AACAvw=="},
    "no time": {"at_ms": None},
    "learned for minus an hour": {"learned_s": -3600.0},
    "builds of another shape": {"builds": {"b": 3}},
    "an hour that is none": {"hour": 999},
    "another version": {"v": 99},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_chunk_costs_its_own_tokens_and_nothing_else(damage: str) -> None:
    damaged, whole = _body(**DAMAGE[damage]), _body()
    assert snapshot.unreadable([damaged, whole, b"rubbish"]) == 2
    found = snapshot.decode([damaged, whole])
    assert found is not None
    assert found[0] == ["whole"]
    assert snapshot.taken_ms([damaged, whole]) == 5
    assert snapshot.decode([damaged]) is None
    assert snapshot.decode_hours([damaged, whole]) == []


def test_a_torn_snapshot_counts_its_newest_part_only() -> None:
    ones = np.ones(1)
    old, new = (
        snapshot.encode(Sums(ones, ones, ones, ones, 1.0), [name], at)[0] for name, at in (("old", 1), ("new", 2))
    )
    found = snapshot.decode([old, new, b"rubbish"])
    assert found is not None
    assert found[0] == ["new"]
    assert snapshot.decode([b"rubbish"]) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"slo_s": 0}, "slo_s must be greater than 0"),
        ({"target_rho": 1.5}, "share"),
        ({"guard_ratio": 0.9}, "guard_ratio"),
        ({"confirm_ticks": 4}, "never be confirmed"),
        ({"restore_ratio": 5.0}, "suspect at once"),
        ({"tick_s": 30.0}, "blind"),
        ({"structural": "maybe"}, "off, alert or move"),
        ({"structural": 3}, "must be a str"),
        ({"no_such": 1}, "does not exist; known are"),
        ({"gaurd_share": 0.1}, "did you mean policy.guard_share"),
        ({"slo_s": "soon"}, "must be a number"),
        ({"slo_s": True}, "must be a number"),
        ({"slo_s": None}, "must be a number"),
        ({"verify_ticks": 2.5}, "must be a whole number"),
        ({"verify_ticks": False}, "must be a whole number"),
        ({"calm_s": float("nan")}, "greater than 0"),
        ({"calm_max_s": float("inf")}, "must be a finite number"),
        ({"slo_s": -1}, "greater than 0"),
        ({"budget_min": 0}, "nobody could ever be moved"),
        ({"guard_share": 0.8}, "under target_rho"),
        ({"guard_share": 0.9, "target_rho": 0.82, "restore_rho": 0.83, "gate_rho_backlog": 0.9}, "under target_rho"),
        ({"calm_s": 3.0}, "one calm tick"),
        ({"horizon_s": 2.0}, "no further ahead"),
        ({"half_life_s": 4.0}, "from one tick to the next"),
        ({"cost_half_life_s": 1.0}, "from one tick to the next"),
        ({"slo_s": 9.0}, "at least two ticks"),
        ({"verify_ticks": 120}, "under bar_s"),
        ({"bar_s": 15.0}, "under bar_s"),
        ({"hung_s": 5.0}, "hung before it is blamed"),
        ({"learn_half_life_s": 3600.0}, "never be warm"),
        ({"sustained_s": 13}, "second by second"),
        ({"target_rho": 0.84}, "still be hot"),
        ({"confirm_window": 8}, "longer than the objective"),
        ({"strike_window_s": 600.0}, "forgotten before its calm"),
        ({"limit_s": 30.0}, "before its token can be seen calm"),
        ({"repeat_s": 1200.0}, "nothing can be approved"),
        ({"proposal_s": 1.0, "repeat_s": 1.0}, "before anybody reads it"),
        ({"guard_cost_ratio": 1.0}, "every token would be suspect"),
        ({"deploy_ratio": 0.5}, "every minute would be a deploy"),
        ({"benefit_ratio": 0.5}, "cost more than it saves"),
        ({"hold_max_s": 40.0}, "break the objective"),
        ({"stale_s": 31.0}, "older than the objective"),
        ({"gate_rho_early": 1.1}, "early means before"),
        ({"gate_rho_early": 0.84}, "moved again at once"),
        ({"dispersion": 1.0}, "in the range"),
        ({"dispersion": 300.0}, "in the range"),
    ],
)
def test_an_impossible_policy_is_refused_with_its_name(wrong: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Policy.of(wrong)


def test_every_constant_is_documented_with_its_meaning() -> None:
    source = (__import__("inspect")).getsource(Policy)
    for field in fields(Policy):
        after = source.split(f"    {field.name}:", 1)[1].split("\n")[1]
        assert after.strip().startswith('"""'), field.name


def test_all_metrics_of_the_catalogue_are_registered_under_their_names() -> None:
    registry = CollectorRegistry()
    Gauges(registry)
    described = {family.name for family in registry.collect()}
    assert described == {m.name.removesuffix("_total") for m in METRICS}
