"""Runbooks as pages: `docs/runbooks/NAME.md` of a source checkout, in the little Markdown that they are written in."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape

ROOT: Final = Path(__file__).parents[2] / "docs" / "runbooks"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,80}")
_ITEM: Final = re.compile(r"\s*(?:[*-]|\d+\.)\s+(.*)")
_CODE: Final = re.compile(r"`([^`]+)`")
_BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")


def runbook_router(templates: Environment, shared: dict[str, Any], root: Path = ROOT) -> APIRouter:
    """`/runbooks/NAME`; 404 for a name that has no file."""
    router = APIRouter()

    @router.get("/runbooks/{name}", response_class=HTMLResponse)
    def runbook(name: str) -> Response:
        file = root / f"{name}.md"
        if not _NAME.fullmatch(name) or not file.is_file():
            raise HTTPException(404, f"there is no runbook {name!r}")
        body = html(file.read_text(encoding="utf-8"))
        return HTMLResponse(templates.get_template("runbook.html").render(title=name, body=body, **shared))

    return router


def html(text: str) -> Markup:
    """Headings, paragraphs, lists, fenced and inline code, bold; everything else is text and stays text."""
    return Markup("\n").join(_blocks(text.splitlines()))


def _blocks(lines: list[str]) -> Iterator[Markup]:
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("```"):
            end = next((i for i in range(at, len(lines)) if lines[i].startswith("```")), len(lines))
            yield Markup("<pre><code>{}</code></pre>").format("\n".join(lines[at:end]))
            at = end + 1
        elif line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            yield Markup("<h{0}>{1}</h{0}>").format(min(level, 4), _inline(line.lstrip("# ")))
        elif item := _ITEM.fullmatch(line):
            kind = "ol" if line.lstrip()[0].isdigit() else "ul"
            items = [item[1]]
            while at < len(lines) and lines[at].strip():
                following = _ITEM.fullmatch(lines[at])
                if following:
                    items.append(following[1])
                else:
                    items[-1] += " " + lines[at].strip()
                at += 1
            rows = Markup("").join(Markup("<li>{}</li>").format(_inline(row)) for row in items)
            yield Markup("<{0}>{1}</{0}>").format(kind, rows)
        elif line.strip():
            while (
                at < len(lines)
                and lines[at].strip()
                and not lines[at].startswith(("#", "```"))
                and not _ITEM.fullmatch(lines[at])
            ):
                line += " " + lines[at].strip()
                at += 1
            yield Markup("<p>{}</p>").format(_inline(line))


def _inline(text: str) -> Markup:
    safe = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_BOLD.sub(r"<b>\1</b>", safe))  # noqa: S704 - escaped above
