"""YAML, the same bytes for the same values: keys in the given order, long expressions as literal blocks."""

from typing import Any, Final

import yaml

HEADER: Final = "# Written by `fairlane generate`. Change the code or the settings, not this file.\n"


class _Dumper(yaml.SafeDumper):
    """Writes multi-line strings as literal blocks and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        """Two equal values are written twice: rule files are read by people."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def to_yaml(body: dict[str, Any]) -> str:
    """`body` as a YAML document that ends in a newline."""
    return HEADER + yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
