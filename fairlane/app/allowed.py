"""What a person may do about a token now, and why not: what the role of who is acting allows, and what the controller would refuse (it has the last word)."""

from dataclasses import dataclass, replace
from typing import Final

from fairlane.app import words
from fairlane.app.docket import Docket
from fairlane.app.episodes import Episode, is_open
from fairlane.app.opening import BLIND_S
from fairlane.auth.matrix import denied
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Action
from isolator.marks import MarkKind
from isolator.verdict import VerdictKind


@dataclass(frozen=True, slots=True)
class Button:
    """One action. `why_not` is empty when it is allowed; `target` is what the command names: a token or a proposal's id."""

    action: str
    label: str
    hint: str
    target: str
    why_not: str = ""
    lasts: bool = False
    """May be given a time after which it ends by itself."""
    lanes: tuple[str, ...] = ()
    """Where to, when there is a choice."""

    @property
    def slug(self) -> str:
        """The action as it stands in a path."""
        return self.action.replace("_", "-")


_LABELS: Final = {
    Action.APPROVE: ("Approve", "Carry the move out now."),
    Action.DECLINE: ("Decline", "Leave it in general; it is not proposed again for a while."),
    Action.RESTORE: ("Restore", "Bring it back to general as soon as its lane has caught up."),
    Action.MOVE: ("Move", "Move it out of general, with its backlog, until it is calm or its time is up."),
    Action.PROTECT: ("Protect", "Never move it, neither by the policy nor by hand."),
    Action.EXEMPT: ("Exempt", "The policy does not pick it; a person may still move it."),
    Action.CLEAR: ("Clear marks", "Take back what was said of it: it may be moved again."),
}


def blind(docket: Docket) -> str:
    """Why nobody would answer a command now; empty when somebody would."""
    away = next((part for part in docket.parts if part.name == "kafka" and not part.ok), None)
    if away is not None:
        return "Kafka does not answer: a command could not be delivered."
    if docket.last_tick_s is None or docket.at_s - docket.last_tick_s > BLIND_S:
        since = (
            "has not decided yet"
            if docket.last_tick_s is None
            else f"last decided {words.ago(docket.at_s - docket.last_tick_s)}"
        )
        return f"Nobody would answer: the controller {since}. Start it with “fairlane serve controller”."
    return ""


def buttons(docket: Docket, episode: Episode) -> tuple[Button, ...]:
    """What can be done about the episode's token, the likeliest first."""
    if not episode.token:
        return ()
    nobody = blind(docket)
    found: list[Button] = []
    verdict = episode.verdict
    if verdict is not None and verdict.kind is VerdictKind.PROPOSAL:
        why = nobody or _answerable(docket, episode)
        found += [
            _button(Action.APPROVE, episode.id, why or _movable(docket, episode.token), lasts=True),
            _button(Action.DECLINE, episode.id, why),
        ]
    route = docket.routes.get(episode.token)
    if route is not None and route.lane is not Lane.GENERAL:
        asked = route.expires_ms is not None and route.expires_ms <= docket.now_ms
        why = f"It is on its way: it comes back as soon as {route.lane} has caught up." if asked else ""
        found.append(_button(Action.RESTORE, episode.token, nobody or why))
    elif route is not None and route.limit_at(docket.now_ms) is not None:
        found.append(
            Button(str(Action.RESTORE), "Lift the limit", "Capture takes all its events again.", episode.token, nobody)
        )
    elif verdict is None or not is_open(verdict, docket.now_ms):
        lanes = (str(Lane.OVERFLOW), str(Lane.QUARANTINE))
        found.append(
            _button(Action.MOVE, episode.token, nobody or _movable(docket, episode.token), lasts=True, lanes=lanes)
        )
    kinds = {mark.kind for mark in docket.marks_of(episode.token)}
    if kinds:
        found.append(_button(Action.CLEAR, episode.token, nobody))
    if MarkKind.PROTECT not in kinds:
        found.append(_button(Action.PROTECT, episode.token, nobody, lasts=True))
    if MarkKind.EXEMPT not in kinds:
        found.append(_button(Action.EXEMPT, episode.token, nobody, lasts=True))
    return tuple(replace(button, why_not=denied(button.action) or button.why_not) for button in found)


def _button(action: Action, target: str, why_not: str, *, lasts: bool = False, lanes: tuple[str, ...] = ()) -> Button:
    label, hint = _LABELS[action]
    return Button(str(action), label, hint, target, why_not, lasts, lanes)


def _answerable(docket: Docket, episode: Episode) -> str:
    verdict = episode.verdict
    if verdict is None or is_open(verdict, docket.now_ms):
        return ""
    if episode.word in {"approved", "declined"}:
        return f"{verdict.note.rstrip('.')}."
    assert verdict.expires_ms is not None
    ago = words.ago(docket.at_s - verdict.expires_ms / 1000)
    return f"The proposal expired {ago}; wait for the next one, or move the token by hand."


def _movable(docket: Docket, token: str) -> str:
    mark = next((mark for mark in docket.marks_of(token) if mark.kind is MarkKind.PROTECT), None)
    if mark is not None:
        return f"It is protected by {mark.by}{f' ({mark.reason})' if mark.reason else ''}: clear its marks first."
    if docket.status is not None and docket.status.moves_refused:
        return "A worker's fence map is full and refuses moves: restore tokens first."
    return ""
