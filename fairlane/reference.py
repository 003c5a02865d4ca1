"""Every setting with its type, default, environment variable and meaning, read from the models: the reference is generated from this."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fairlane.addresses import shown
from fairlane.settings import PREFIX, Settings
from fairlane.settings_errors import DERIVED
from isolator.constants import Policy

_SECRET: Final = re.compile(r"password|secret|\.key$|ssl\.key\.pem|token\.endpoint", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(r"(?<=:)[^:/@]+(?=@)")
_ADDRESS: Final = frozenset({"webhook", "heartbeat"})
"""Settings whose address is a secret by itself, but for its host."""
_PATH: Final = re.compile(r"(?<=://)(?:[^/@]*@)?([^/?#]*).*")
MASK: Final = "********"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as a person looks it up."""

    path: str
    type: str
    default: str
    variable: str
    meaning: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def settings_reference() -> list[Setting]:
    """Every setting, sections in the tree's order."""
    return _section(Settings, "")


def hidden(tree: Mapping[str, Any]) -> dict[str, Any]:
    """`tree` with passwords masked, those in URLs too."""
    return {key: _mask(key, value) for key, value in tree.items()}


def _mask(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return hidden(value)
    if isinstance(value, str) and key in _ADDRESS and value:
        return _PATH.sub(rf"\1/{MASK}", value)
    if isinstance(value, str) and value:
        if _SECRET.search(key):
            return MASK
        web = value.startswith(("http://", "https://"))
        return shown(value) if web else _URL_PASSWORD.sub(MASK, value) if "://" in value else value
    return value


def _section(model: type[BaseModel], prefix: str) -> list[Setting]:
    found: list[Setting] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _section(kind, f"{prefix}{name}.")
        elif kind is Policy:
            found += _constants(prefix)
        else:
            found.append(_setting(prefix + name, _type(kind), _default(prefix + name, field), field.description or ""))
    return found


def _constants(prefix: str) -> list[Setting]:
    meanings = _attribute_docs(Policy)
    return [
        _setting(
            prefix + one.name,
            _type(one.type),
            repr(one.default) if one.default is not MISSING else "",
            meanings.get(one.name, ""),
        )
        for one in fields(Policy)
        if one.name not in DERIVED
    ]


def _setting(path: str, kind: str, default: str, meaning: str) -> Setting:
    return Setting(path, kind, default, PREFIX + path.replace(".", "__").upper(), " ".join(meaning.split()))


def _type(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Annotated:
        # how a value is read is no part of what it is
        return _type(get_args(kind)[0])
    if origin is not None:
        inner = [part for part in get_args(kind) if part is not Ellipsis]
        return f"{origin.__name__} of {', '.join(map(_type, inner))}"
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return " | ".join(str(member.value) for member in kind)  # type: ignore[attr-defined] # an enumeration
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _default(path: str, field: FieldInfo) -> str:
    computed = {"state_dir": "the platform's state directory", "worker.slot": "the host's ordinal, else 0"}
    if path in computed:
        return computed[path]
    value = field.get_default(call_default_factory=True)
    return (
        f'"{value.value}"'
        if hasattr(value, "value")
        else f'"{value}"'
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _attribute_docs(cls: type) -> dict[str, str]:
    """The docstrings under a dataclass's fields, as `use_attribute_docstrings` reads them for models."""
    import ast

    body = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        named = isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
        if (
            named
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            docs[before.target.id] = after.value.value  # type: ignore[attr-defined] # narrowed above
    return docs
