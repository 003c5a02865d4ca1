"""The eleven diagnoses on the fluid model: each with what produces it, and with what nearly does."""

from dataclasses import replace

import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Trouble, TroubleKind
from isolator.changes import Change
from isolator.constants import Policy
from isolator.diagnose import Diagnosis
from isolator.marks import Mark, MarkKind
from isolator.verdict import Reason, Verdict
from tests.support.fluid import START, Source, World, background

POLICY = Policy(warm_s=15.0, calm_s=20.0)
ALL = tuple(range(12))
TROUBLE = 22


def world(*extra: Source, rate: float = 500.0, tokens: int = 300, **options) -> World:
    return World(options.pop("policy", POLICY), [*background(tokens, rate, 12), *extra], **options)


def step(before: float, then: float, end: int = 10_000):
    return lambda t: then if TROUBLE <= t < end else before


def flood(rate: float = 2500.0, name: str = "flood") -> Source:
    return Source(name, step(0.0, rate), lambda _t: 1e-3, ALL, 2000)


def keyed(key_rate: float) -> World:
    """A tenant with a calm base everywhere, one key of which takes to partition 3."""
    base = Source("keyed", lambda _t: 240.0, lambda _t: 1e-3, ALL, 500)
    return world(base, Source("keyed", step(0.0, key_rate), lambda _t: 1e-3, (3,), 1))


def slower(share: float) -> World:
    """From TROUBLE on events take four times as long for so many tokens."""
    sources = background(300, 500.0, 12)
    many = [replace(s, cost=lambda t: 4e-3 if t >= TROUBLE else 1e-3) for s in sources[:: round(1 / share)]]
    rest = [s for n, s in enumerate(sources) if n % round(1 / share)]
    return World(POLICY, [*many, *rest])


def running(seconds_at_start: float, token: str = "bg-7"):
    return lambda t: (token, 3, t - TROUBLE + seconds_at_start) if TROUBLE <= t < 40 else None


def told(one: World) -> set[str]:
    return set(one.diagnoses())


def alerts(one: World) -> list[Verdict]:
    return [v for _, d in one.decisions for v in d.verdicts]


SCENES = {
    "healthy: an ordinary day": (world, Diagnosis.HEALTHY, True),
    "healthy: not over capacity, so nobody's fault": (lambda: world(rate=700.0), Diagnosis.CAPACITY, False),
    "noisy_tenant: a flood": (lambda: world(flood()), Diagnosis.NOISY_TENANT, True),
    "not noisy: over capacity by a tenant at twice its own usual": (
        lambda: world(Source("whale", step(250.0, 500.0), lambda _t: 1e-3, ALL, 5000)),
        Diagnosis.NOISY_TENANT,
        False,
    ),
    "hot_key: one key of a calm tenant": (lambda: keyed(900.0), Diagnosis.HOT_KEY, True),
    "not hot_key: the tenant has risen as a whole": (
        lambda: world(
            Source("keyed", step(40.0, 900.0), lambda _t: 1e-3, ALL, 500),
            Source("keyed", step(0.0, 300.0), lambda _t: 1e-3, (3,), 1),
        ),
        Diagnosis.HOT_KEY,
        False,
    ),
    "capacity: everyone doubles": (
        lambda: World(POLICY, background(300, 600.0, 12, lambda t: 2.0 if t >= TROUBLE else 1.0)),
        Diagnosis.CAPACITY,
        True,
    ),
    "not capacity: everyone grows by a fifth": (
        lambda: World(POLICY, background(300, 600.0, 12, lambda t: 1.2 if t >= TROUBLE else 1.0)),
        Diagnosis.CAPACITY,
        False,
    ),
    "stall: the consumer hardly works": (lambda: world(capacity=step(0.95, 0.1)), Diagnosis.STALL, True),
    "not stall: slow, but busy all the time": (lambda: world(capacity=step(0.95, 0.7)), Diagnosis.STALL, False),
    "hung: one record runs for over a minute": (lambda: world(hung=running(55.0)), Diagnosis.HUNG, True),
    "not hung: a record runs for nine seconds and nobody waits": (
        lambda: world(hung=lambda t: ("bg-7", 3, 9.0) if t >= TROUBLE else None),
        Diagnosis.HUNG,
        False,
    ),
    "rebalance: partitions have just changed hands": (
        lambda: world(
            capacity=lambda t: 0.02 if TROUBLE <= t < 50 else 0.95,
            assigned=lambda t: 1e6 if t < TROUBLE else max(t - 48, 0),
        ),
        Diagnosis.REBALANCE,
        True,
    ),
    "not rebalance: they changed hands a while ago": (
        lambda: world(capacity=step(0.95, 0.1), assigned=lambda t: 20.0 + t),
        Diagnosis.REBALANCE,
        False,
    ),
    "deploy: most tenants' events take four times as long": (lambda: slower(1.0), Diagnosis.DEPLOY, True),
    "not deploy: a third of the tenants'": (lambda: slower(1 / 3), Diagnosis.DEPLOY, False),
    "catching_up: the backlog of a stall that is over": (
        lambda: world(rate=550.0, capacity=lambda t: 0.1 if TROUBLE <= t < 80 else 0.95),
        Diagnosis.CATCHING_UP,
        True,
    ),
    "not catching_up: a hiccup of three seconds": (
        lambda: world(capacity=lambda t: 0.1 if TROUBLE <= t < TROUBLE + 3 else 0.95),
        Diagnosis.CATCHING_UP,
        False,
    ),
    "broad_overload: seven culprits, three may be moved": (
        lambda: world(*(flood(700.0, f"flood-{i}") for i in range(7))),
        Diagnosis.BROAD_OVERLOAD,
        True,
    ),
    "not broad_overload: three culprits": (
        lambda: world(*(flood(1200.0, f"flood-{i}") for i in range(3))),
        Diagnosis.BROAD_OVERLOAD,
        False,
    ),
    "stale_input: no telemetry": (lambda: world(reports=lambda t: t < TROUBLE), Diagnosis.STALE_INPUT, True),
    "not stale_input: a gap of seven seconds": (
        lambda: world(reports=lambda t: not TROUBLE <= t < TROUBLE + 7),
        Diagnosis.STALE_INPUT,
        False,
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_diagnosis_and_what_nearly_is_one(scene: str) -> None:
    make, diagnosis, is_it = SCENES[scene]
    one = make()
    one.run(90)
    assert (diagnosis in told(one)) is is_it, told(one)


def test_every_diagnosis_has_both_scenes() -> None:
    both = {(diagnosis, is_it) for _, diagnosis, is_it in SCENES.values()}
    assert {d for d, is_it in both if is_it} == set(Diagnosis)
    assert {d for d, is_it in both if not is_it} | {Diagnosis.HEALTHY} == set(Diagnosis)


@pytest.mark.parametrize(
    "diagnosis", [Diagnosis.STALL, Diagnosis.REBALANCE, Diagnosis.DEPLOY, Diagnosis.CAPACITY, Diagnosis.HOT_KEY]
)
def test_what_is_no_tenants_fault_moves_nobody_and_a_person_is_told(diagnosis: Diagnosis) -> None:
    make = next(make for make, found, is_it in SCENES.values() if found is diagnosis and is_it)
    one = make()
    one.run(90)
    assert one.moved() == []
    alert = next(v for v in alerts(one) if v.reason == diagnosis.value)
    assert alert.note
    assert str(diagnosis) in alert.sentence()


def test_a_hung_record_sends_its_token_to_quarantine_whatever_its_baseline_and_though_nothing_is_late() -> None:
    one = world(hung=running(55.0), policy=replace(POLICY, warm_s=3600.0))
    one.run(45)
    move = next(v for v in alerts(one) if v.reason is Reason.HUNG)
    assert (move.token, move.source, move.target) == ("bg-7", Lane.GENERAL, Lane.QUARANTINE)
    assert "One record on partition 3 has been running for" in move.sentence()
    status = next(d.status for _, d in one.decisions if d.status.diagnosis == "hung")
    assert "bg-7" in status.sentence


def test_a_hung_record_of_a_protected_token_is_told_and_left() -> None:
    one = world(hung=running(55.0))
    one.state = replace(one.state, marks={"bg-7": (Mark(MarkKind.PROTECT, "ops", START * 1000),)})
    one.run(45)
    assert one.moved() == []
    assert [(v.kind.value, v.token) for v in alerts(one)] == [("alert", "bg-7")]
    assert "hung" in told(one)


@pytest.mark.parametrize(
    ("kind", "diagnosis", "says"),
    [(TroubleKind.HUNG, "hung", "hung its worker"), (TroubleKind.FAILING, "noisy_tenant", "fail one after the other")],
)
def test_a_token_that_a_worker_accuses_goes_to_quarantine_at_once(kind: TroubleKind, diagnosis: str, says: str) -> None:
    accused = Trouble("bg-9", 2, kind)
    one = world(troubles=lambda t: (accused,) if t >= TROUBLE else ())
    one.run(30)
    move = alerts(one)[0]
    assert (move.token, move.target, move.reason.value) == ("bg-9", Lane.QUARANTINE, kind.value)
    assert says in move.sentence()
    status = one.decisions[4][1].status
    assert status.diagnosis == diagnosis
    assert says in status.sentence
    assert one.moved() == ["bg-9"], "once"


@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize("kind", TroubleKind)
def test_a_token_stays_away_while_its_records_hang_or_fail_whatever_that_does_to_the_load(
    kind: TroubleKind, seed: int
) -> None:
    accused = Trouble("bg-3", 0, kind, 2)
    one = world(tokens=60, rate=300.0, seed=seed, troubles=lambda t: (accused,) if TROUBLE <= t < 80 else ())
    one.run(80)
    assert one.moved() == ["bg-3"]
    assert [v.kind.value for v in alerts(one)] == ["move"], "rho was promised nothing: it is no wrong culprit"
    one.run(60)
    assert not one.state.moved(), "it has behaved for as long as calm takes"
    assert one.moved() == ["bg-3"], "once"


def test_a_hung_record_and_a_flood_are_told_apart_and_both_dealt_with() -> None:
    one = world(flood(), hung=running(55.0))
    one.run(60)
    reasons = {v.token: v.reason for v in alerts(one) if v.kind == "move"}
    assert reasons == {"bg-7": Reason.HUNG, "flood": Reason.NOISY_TENANT}


def change(t: int, service: str = "worker", version: str = "v42") -> Change:
    return Change("c1", "p", (START + t) * 1000, "ci", service, version)


def test_after_a_change_slower_events_of_most_tenants_are_its_sooner_and_it_is_named() -> None:
    plain, informed = slower(1.0), slower(1.0)
    informed.state = replace(informed.state, changes=(change(20),))
    for one in (plain, informed):
        one.run(60)
    first = [next(t for t, d in one.decisions if d.status.diagnosis == "deploy") for one in (plain, informed)]
    assert first[1] <= first[0]
    assert plain.moved() == informed.moved() == []
    said = next(d.status.sentence for _, d in informed.decisions if d.status.diagnosis == "deploy")
    assert "since worker v42 by ci" in said
    assert "since" not in next(d.status.sentence for _, d in plain.decisions if d.status.diagnosis == "deploy")


def test_a_change_does_not_excuse_a_flood_and_an_old_one_explains_nothing() -> None:
    one = world(flood())
    one.state = replace(one.state, changes=(change(20),))
    one.run(60)
    assert one.moved() == ["flood"]
    old = slower(1.0)
    old.state = replace(old.state, changes=(change(20 - 901),))
    old.run(60)
    assert "v42" not in " ".join(d.status.sentence for _, d in old.decisions)
