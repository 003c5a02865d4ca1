"""A pipeline's mind without I/O: what it writes can be folded into the same mind again, and commands do what they say."""

from dataclasses import replace

import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import Action, ArrivalReport, Command, TokenLoad
from isolator.answers import Answer
from isolator.brain import Batch, Brain
from isolator.constants import Policy
from isolator.explain import explain
from isolator.obey import OLD_MS, obey
from isolator.state import StateView
from isolator.verdict import Reason, VerdictKind
from tests.support.fluid import Source, World, background

POLICY = Policy(warm_s=15.0, calm_s=20.0)
ALL = tuple(range(12))


class Mind:
    """A brain fed by the fluid model, whose batches are folded as the state topic would be."""

    def __init__(self, *extra: Source, mode: Mode = Mode.AUTO) -> None:
        self.world = World(POLICY, [*background(300, 500.0, 12), *extra])
        self.view = StateView("p")
        self.offset = 0
        self.brain = Brain(self.view, POLICY, mode)
        self.world.observer = self.brain.observer
        self.sent = 0

    def write(self, batch: Batch) -> None:
        for key, value in batch.records:
            self.view.apply(key, value, self.offset)
            self.offset += 1

    def run(self, seconds: int) -> None:
        for _ in range(0, seconds, 5):
            for _ in range(5):
                self.world.second()
            self.write(self.brain.tick(self.world.ms))
            self.world.state = self.brain.state

    def ask(self, action: Action, **details: object) -> Answer:
        self.sent += 1
        command = Command("p", self.world.ms, f"c{self.sent}", action, "ops", **details)  # type: ignore[arg-type]
        self.write(obey(self.brain, command, self.world.ms))
        return self.view.answers[command.id]


def flood(end: int = 400) -> Source:
    return Source("flood", lambda t: 2500.0 if 22 <= t < end else 0.0, lambda _t: 1e-3, ALL, 2000)


def test_a_new_mind_on_the_written_state_is_the_old_one() -> None:
    mind = Mind(flood())
    mind.ask(Action.PROTECT, token="bg-1", reason="contract")
    mind.run(60)
    again = Brain(mind.view, POLICY, Mode.OFF)
    assert again.state.mode is Mode.AUTO
    assert again.state.routes == mind.brain.state.routes
    assert again.state.moved().keys() == {"flood"}
    assert again.state.marks == mind.brain.state.marks
    assert again.verdicts == mind.brain.verdicts
    watch = again.state.watches["flood"].verdict
    assert watch is not None
    assert watch.kind is VerdictKind.MOVE
    old, new = mind.brain.baseline.usual(), again.baseline.usual()
    assert new.warm
    assert new.population_rate == pytest.approx(old.population_rate, rel=0.2)


def test_a_mind_that_lost_its_batch_keeps_what_it_measured() -> None:
    mind = Mind(flood())
    mind.run(20)
    for _ in range(5):
        mind.world.second()
    mind.brain.tick(mind.world.ms)  # decided, but never written
    assert mind.brain.state.moved()
    again = mind.brain.rebuilt(mind.view, Mode.OFF)
    assert not again.state.moved()
    assert again.observer is mind.brain.observer
    for _ in range(5):
        mind.world.second()
    assert {r.token for r in again.tick(mind.world.ms).verdicts} == {"flood"} or again.state.moved()


def test_a_mind_that_comes_back_takes_over_what_another_has_learned_since() -> None:
    mind = Mind()
    mind.run(30)
    standby = mind.brain
    knew = standby.baseline.usual().learned_s
    mind.brain = Brain(mind.view, POLICY, Mode.OFF)
    mind.world.observer = mind.brain.observer
    mind.run(200)
    again = standby.rebuilt(mind.view, Mode.OFF)
    assert again.baseline.usual().learned_s > knew + 100
    for _ in range(5):
        mind.world.second()
    again.tick(mind.world.ms)
    assert again.rebuilt(mind.view, Mode.OFF).baseline is again.baseline, "now it is the last to have learned"


def test_ever_new_tokens_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isolator.brain.MOST_TOKENS", 2_000)
    monkeypatch.setattr("isolator.snapshot.KEEP", 200)
    mind = Mind(flood())
    mind.run(40)
    assert mind.brain.state.moved().keys() == {"flood"}
    before = mind.brain.baseline.usual()
    for n in range(2_001):
        mind.brain.observer.fold(
            ArrivalReport("p", mind.world.ms, 0.01, (TokenLoad(f"random-{n}", 0, 1, 100),)), mind.world.ms
        )
    mind.run(5)
    assert len(mind.brain.observer.names) <= 200
    assert mind.brain.state.moved().keys() == {"flood"}
    after = mind.brain.baseline.usual()
    assert after.warm
    assert after.learned_s >= before.learned_s
    mind.world.observer = mind.brain.observer
    mind.run(20)
    assert mind.view.status is not None
    assert mind.view.status.diagnosis == "healthy"
    assert mind.brain.state.moved().keys() == {"flood"}


def test_a_restart_in_the_middle_of_a_move_waits_for_telemetry_before_it_says_that_it_helped() -> None:
    mind = Mind(flood())
    mind.run(30)
    assert mind.brain.state.moved().keys() == {"flood"}
    route = mind.brain.state.moved()["flood"]
    assert mind.view.verdicts[route.verdict_id].verified is None
    mind.brain = Brain(mind.view, POLICY, Mode.OFF)
    for _ in range(4):
        mind.write(mind.brain.tick(mind.world.ms))  # nothing was heard yet
    assert mind.view.verdicts[route.verdict_id].verified is None
    mind.world.observer = mind.brain.observer
    mind.run(30)
    verdict = mind.view.verdicts[route.verdict_id]
    assert verdict.verified
    assert verdict.rho_realised


def test_the_first_tick_announces_the_configured_mode_and_a_written_mode_wins() -> None:
    mind = Mind(mode=Mode.SUGGEST)
    mind.run(5)
    assert mind.view.table.mode is Mode.SUGGEST
    mind.ask(Action.MODE, mode="auto")
    assert Brain(mind.view, POLICY, Mode.OFF).state.mode is Mode.AUTO


def test_a_command_is_answered_once() -> None:
    mind = Mind()
    mind.run(5)
    command = Command("p", mind.world.ms, "same", Action.MOVE, "ops", token="bg-1")
    first = obey(mind.brain, command, mind.world.ms)
    assert first.records
    assert obey(mind.brain, command, mind.world.ms) == Batch()


def test_a_late_command_is_refused_except_the_kill_switch() -> None:
    mind = Mind()
    mind.run(5)
    late = mind.world.ms + OLD_MS + 1
    mind.write(obey(mind.brain, Command("p", mind.world.ms, "a", Action.MOVE, "ops", token="bg-1"), late))
    assert not mind.view.answers["a"].ok
    mind.write(obey(mind.brain, Command("p", mind.world.ms, "b", Action.MODE, "ops", mode="off"), late))
    assert mind.view.answers["b"].ok
    assert mind.view.table.mode is Mode.OFF


@pytest.mark.parametrize(
    ("action", "details", "problem", "says"),
    [
        (Action.MOVE, {}, "usage", "needs a token"),
        (Action.MOVE, {"token": "x", "lane": Lane.GENERAL}, "usage", "use restore"),
        (Action.RESTORE, {"token": "x"}, "conflict", "neither moved nor limited"),
        (Action.MODE, {"mode": "loud"}, "usage", "mode is one of"),
        (Action.CLEAR, {"token": "x"}, "conflict", "no mark"),
        (Action.APPROVE, {"token": "x"}, "conflict", "no proposal"),
        (Action.DECLINE, {"token": "x"}, "conflict", "no proposal"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(action: Action, details: dict, problem: str, says: str) -> None:
    mind = Mind()
    mind.run(5)
    before = mind.brain.state
    answer = mind.ask(action, **details)
    assert (answer.ok, answer.problem) == (False, problem)
    assert says in answer.message
    assert mind.brain.state == before


def test_move_protect_and_restore_by_hand() -> None:
    mind = Mind()
    mind.run(10)
    assert mind.ask(Action.MOVE, token="bg-1", reason="import", lane=Lane.QUARANTINE).ok
    assert mind.view.table.wanted("bg-1") is Lane.QUARANTINE
    assert "already" in mind.ask(Action.MOVE, token="bg-1", lane=Lane.QUARANTINE).message
    assert mind.view.status is not None
    assert mind.view.status.moved == ("bg-1",), "the page shows it at once"
    assert "stays moved" in mind.ask(Action.PROTECT, token="bg-1").message
    mind.world.second()
    assert mind.ask(Action.RESTORE_ALL).ok
    mind.run(5)
    assert mind.view.table.wanted("bg-1") is Lane.GENERAL
    assert "protected by ops" in mind.ask(Action.MOVE, token="bg-1").message
    assert mind.ask(Action.CLEAR, token="bg-1").ok
    assert mind.ask(Action.MOVE, token="bg-1").ok


def test_a_restore_by_hand_waits_for_its_lane_and_then_happens_in_any_mode() -> None:
    mind = Mind(flood(end=30))
    mind.run(35)
    assert mind.view.table.wanted("flood") is Lane.QUARANTINE, "it brings more than half of what overflow can do"
    mind.ask(Action.MODE, mode="off")
    assert "caught up" in mind.ask(Action.RESTORE, token="flood", reason="they called").message
    assert mind.view.table.wanted("flood") is Lane.QUARANTINE
    mind.run(30)
    assert mind.view.table.wanted("flood") is Lane.GENERAL
    back = mind.view.latest("flood")[0]
    assert (back.kind, back.reason, back.by, back.note) == (VerdictKind.RESTORE, Reason.MANUAL, "ops", "they called")
    assert mind.view.table.routes["flood"].by == "ops"


def test_a_restore_that_waits_for_its_lane_can_be_called_off() -> None:
    mind = Mind(flood(end=30))
    mind.run(35)
    mind.ask(Action.MODE, mode="off")
    assert "caught up" in mind.ask(Action.RESTORE, token="flood").message
    assert mind.ask(Action.MOVE, token="flood", lane=Lane.QUARANTINE, reason="not yet").ok
    mind.run(30)
    assert mind.view.table.wanted("flood") is Lane.QUARANTINE
    assert "already" in mind.ask(Action.MOVE, token="flood", lane=Lane.QUARANTINE).message


def test_a_proposal_can_be_approved_or_declined_until_it_expires() -> None:
    mind = Mind(flood(), mode=Mode.SUGGEST)
    mind.run(30)
    assert not mind.brain.state.moved()
    proposal = mind.view.latest("flood")[0]
    assert proposal.kind is VerdictKind.PROPOSAL
    expired = replace(proposal, expires_ms=mind.world.ms - 1)
    kept = mind.brain.verdicts
    mind.brain.verdicts = {proposal.id: expired}
    assert "expired" in mind.ask(Action.APPROVE, token="flood").message
    mind.brain.verdicts = kept
    assert mind.ask(Action.APPROVE, token=proposal.id, reason="yes").ok
    assert mind.view.table.wanted("flood") is proposal.target is Lane.QUARANTINE
    assert "expired" in mind.ask(Action.DECLINE, token="flood").message, "it was answered"
    mind.run(20)
    assert mind.view.latest("flood")[0].verified is True


def test_a_declined_token_is_left_alone() -> None:
    mind = Mind(flood(), mode=Mode.SUGGEST)
    mind.run(30)
    assert mind.ask(Action.DECLINE, token="flood", reason="a known import").ok
    mind.ask(Action.MODE, mode="auto")
    mind.run(20)
    assert not mind.brain.state.moved()


def test_old_verdicts_answers_marks_and_routes_are_forgotten() -> None:
    mind = Mind()
    mind.run(5)
    mind.ask(Action.MOVE, token="bg-1")
    mind.ask(Action.RESTORE, token="bg-1")
    mind.ask(Action.EXEMPT, token="bg-2", expires_ms=mind.world.ms + 1000)
    assert mind.view.marks
    mind.world.t += int(POLICY.forget_s) + 10
    mind.run(5)
    assert not mind.view.verdicts
    assert not mind.view.answers
    assert not mind.view.marks
    assert not mind.view.table.routes


def test_explain_tells_everything_in_words_and_as_data() -> None:
    mind = Mind(flood())
    mind.ask(Action.EXEMPT, token="bg-3", reason="backfill")
    mind.run(45)
    told = explain(mind.view, "flood", mind.world.ms)
    text = "\n".join(told.lines())
    for part in ("wanted in quarantine", "its baseline", "-log10 p", "of lag", "threshold", "considered", "suggestion"):
        assert part in text
    data = told.as_dict()
    assert data["lane"] == "quarantine"
    assert data["verdicts"][0]["sentence"]
    assert data["verdicts"][0]["alternatives"]
    assert "exempt by ops: backfill" in "\n".join(explain(mind.view, "bg-3", mind.world.ms).lines())
    assert "Nothing was decided" in "\n".join(explain(mind.view, "unknown", 0).lines())
