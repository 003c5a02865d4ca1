"""`fairlane slo show NAME`: one objective with its arithmetic and its history, as its page tells it."""

from typing import Annotated

import orjson
import typer

from fairlane.app.nearest import nearest
from fairlane.app.slo_facts import facts
from fairlane.app.slo_view import SloView, build
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.objectives import objectives_of
from slo.clock import SystemClock
from slo.errors import NotFound

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The objective; `fairlane slo list` names them.", show_default=False)],
    *,
    json: Json = False,
) -> None:
    """One objective: what is promised, how it stands, each burn rate with its arithmetic, and its changes of state."""
    settings = settings_of(context)
    known = {o.name: o for o in objectives_of(settings)}
    if name not in known:
        near = nearest(name, known)
        raise NotFound(
            f"there is no objective {name!r}{f'; did you mean {near[0]}' if near else ''}; `fairlane slo list` names them"
        )
    with database(settings) as engine:
        view = build(facts(engine, known[name], SystemClock().now()))
    print(orjson.dumps(view).decode() if json else "\n".join(lines(view)))


def lines(view: SloView) -> list[str]:
    """For people."""
    width = max(len(key) for key, _ in view.definition)
    text = [view.sentence, ""]
    text += [f"{tile.name}: {tile.value} ({tile.detail})" for tile in view.tiles]
    text += [f"{view.recent.title.lower()}: {view.recent.label}", ""]
    for pair in view.pairs:
        text.append(f"{pair.state.shape} {pair.long} and {pair.short}: {pair.state} ({pair.severity})")
        text.append(f"    {pair.long}: {pair.long_burn.why} = {pair.long_burn.text}")
        text.append(f"    {pair.short}: {pair.short_burn.text}; {pair.threshold.why}")
    if view.changes:
        text += ["", "changes of state:"]
        text += [f"    {c.at.utc}  {c.state.shape} {c.state} {c.word}".rstrip() for c in view.changes]
    return [*text, "", *(f"{key.ljust(width)}  {value}" for key, value in view.definition)]
