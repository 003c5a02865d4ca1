"""Objectives that teams write again and again, as OpenSLO documents to begin with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from string import Template
from typing import Final

from slo.errors import NotFound, UsageError

_VARIABLE: Final = re.compile(r"# \$([a-z_]+)=(.*)")


@dataclass(frozen=True, slots=True)
class SloTemplate:
    """A template. `variables` name what to fill in, each with the value of the example."""

    name: str
    title: str
    variables: Mapping[str, str]
    body: str

    def fill(self, values: Mapping[str, str] | None = None) -> str:
        """The documents with `values` for its variables, the example's for the others. Raises UsageError for a variable that it does not have, or a value that would break out of it."""
        for key, value in (values or {}).items():
            if key not in self.variables:
                close = get_close_matches(key, self.variables, 1)
                raise UsageError(
                    f"template {self.name}: there is no variable {key!r}{f'; did you mean {close[0]}' if close else ''}; there are {', '.join(self.variables)}"
                )
            if "'" in value or not value.isprintable():
                raise UsageError(
                    f"template {self.name}: {key} must be printable and without single quotes, not {value!r}"
                )
        return f"# {self.title}\n{Template(self.body).substitute({**self.variables, **(values or {})})}"


def templates() -> dict[str, SloTemplate]:
    """All of them, by name."""
    found = sorted((f for f in files(__name__).iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {
        f.name.removesuffix(".yaml"): _read(f.name.removesuffix(".yaml"), f.read_text(encoding="utf-8")) for f in found
    }


def template(name: str) -> SloTemplate:
    """One of them. Raises NotFound with the nearest name."""
    all_of_them = templates()
    if name not in all_of_them:
        close = get_close_matches(name, all_of_them, 1)
        raise NotFound(
            f"there is no template {name!r}{f'; did you mean {close[0]}' if close else ''}; there are {', '.join(all_of_them)}"
        )
    return all_of_them[name]


def _read(name: str, text: str) -> SloTemplate:
    lines = text.splitlines(keepends=True)
    head = [line.rstrip("\n") for line in lines if line.startswith("# ")]
    variables = {found[1]: found[2] for line in head[1:] if (found := _VARIABLE.fullmatch(line))}
    return SloTemplate(name, head[0].removeprefix("# "), variables, "".join(lines[len(head) :]))
