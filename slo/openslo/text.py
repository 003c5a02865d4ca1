"""YAML text to plain values, with the line of every value; what could hang or mislead a reader is refused before anything is made of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_NODES: Final = 500_000
"""Values of one text with its aliases written out: a few lines of aliases can stand for billions."""
MOST_DEPTH: Final = 60

Path = tuple[str | int, ...]


class BadText(ValueError):
    """The text is no YAML that can be taken."""


class _Loader(yaml.SafeLoader):
    """YAML without dates: a time stays the text that was written, so that one that does not exist can be named."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text. `lines` tells where (from 1) the value at a path stands."""

    number: int
    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_text(text: str) -> Iterator[Document]:
    """The documents of a text; empty ones are left out.

    Raises BadText, with the line, for what is no YAML, too large or too deep, has a key twice, or refers to itself.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise BadText(f"larger than {MOST_BYTES // 1024 // 1024} MiB; split it into several files")
    loader = _Loader(text)
    try:
        number = 0
        while loader.check_node():
            number += 1
            node = loader.get_node()
            if node is None:
                continue
            lines: dict[Path, int] = {}
            _walk(node, (), lines, [0], ())
            value = loader.construct_document(node)
            if value is not None:
                yield Document(number, value, lines)
    except yaml.YAMLError as error:
        raise BadText(_explain(error)) from None
    except (RecursionError, ValueError, OverflowError) as error:
        if isinstance(error, BadText):
            raise
        raise BadText(f"cannot be read: {str(error) or type(error).__name__}") from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], count: list[int], above: tuple[int, ...]) -> None:
    count[0] += 1
    line = node.start_mark.line + 1
    if count[0] > MOST_NODES:
        raise BadText(f"line {line}: with its aliases written out it has more than {MOST_NODES:,} values")
    if id(node) in above:
        raise BadText(f"line {line}: refers to itself")
    if len(above) > MOST_DEPTH:
        raise BadText(f"line {line}: nested more than {MOST_DEPTH} deep")
    lines[path] = line
    deeper = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for n, item in enumerate(node.value):
            _walk(item, (*path, n), lines, count, deeper)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, item in node.value:
            name = str(key.value)
            if not isinstance(key, yaml.ScalarNode):
                raise BadText(f"line {key.start_mark.line + 1}: a key must be a plain word")
            if name in seen:
                raise BadText(f"line {key.start_mark.line + 1}: '{name}' stands twice in one mapping")
            seen.add(name)
            _walk(item, (*path, name), lines, count, deeper)


def _explain(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)
