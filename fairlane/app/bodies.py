"""Request bodies: read within a limit, JSON or our own forms. What cannot be understood becomes a UsageError that says where."""

from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError

from slo.errors import BodyTooLarge, UnsupportedMedia, UsageError

MOST_BYTES: Final = 65_536
MANY_BYTES: Final = 262_144
"""For bodies that carry many rows."""
Model = TypeVar("Model", bound=BaseModel)


async def read(request: Request, most: int = MOST_BYTES) -> bytes:
    """The whole body. Raises BodyTooLarge beyond `most` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge(f"the body is larger than {most:,} bytes")
    return bytes(body)


def media_type(request: Request) -> str:
    """The body's type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def order(request: Request, model: type[Model], most: int = MOST_BYTES) -> Model:
    """The JSON body, of at most `most` bytes, as `model`. Raises UnsupportedMedia for another type, UsageError with the place of each mistake."""
    if media_type(request) != "application/json":
        raise UnsupportedMedia(f"send application/json, not {media_type(request) or 'a body without a type'}")
    try:
        return model.model_validate_json(await read(request, most) or b"{}")
    except ValidationError as error:
        raise UsageError(problems(error)) from error


async def form(request: Request) -> dict[str, str]:
    """The fields of one of our forms. Raises UnsupportedMedia and UsageError."""
    if media_type(request) != "application/x-www-form-urlencoded":
        raise UnsupportedMedia("send the form as the page does: application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl((await read(request)).decode(), keep_blank_values=False, max_num_fields=20))
    except (UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"the form cannot be read: {error}") from error


def checked(fields: dict[str, Any], model: type[Model]) -> Model:
    """The fields as `model`. Raises UsageError."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise UsageError(problems(error)) from error


def problems(error: ValidationError) -> str:
    """Each mistake with its place."""
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'body'}: {one['msg'][:1].lower()}{one['msg'][1:]}"
        for one in error.errors(include_url=False)
    )
