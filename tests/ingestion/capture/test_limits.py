"""What a request's headers decide."""

import pytest

from ingestion.capture.limits import Head, read_head
from ingestion.config import CaptureConfig
from slo.errors import BodyTooLarge, UnknownToken, UnsupportedMedia, UsageError

CONFIG = CaptureConfig(max_body_bytes=2_000, tokens=("a", "b"))
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def head(**headers: bytes) -> Head:
    return read_head([(name.replace("_", "-").encode(), value) for name, value in headers.items()], CONFIG)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Head(None, None, None)),
        ({"authorization": b"Bearer a"}, Head("a", None, None)),
        ({"authorization": b"bearer   b "}, Head("b", None, None)),
        ({"x_api_key": b" a "}, Head("a", None, None)),
        ({"x_api_key": b"a", "authorization": b"Bearer a"}, Head("a", None, None)),
        ({"content_length": b"2000", "content_type": b"application/json"}, Head(None, None, 2000)),
        ({"content_type": b"Application/JSON; charset=UTF-8"}, Head(None, None, None)),
        ({"content_type": b"application/cloudevents+json"}, Head(None, None, None)),
        ({"content_encoding": b"identity"}, Head(None, None, None)),
        ({"traceparent": TRACE}, Head(None, TRACE.decode(), None)),
        ({"traceparent": b"00-xyz"}, Head(None, None, None)),
    ],
)
def test_a_good_head_is_read(headers: dict[str, bytes], expected: Head) -> None:
    assert head(**headers) == expected


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"content_length": b"2001"}, BodyTooLarge),
        ({"content_length": b"9" * 40}, BodyTooLarge),
        ({"content_length": b"-1"}, UsageError),
        ({"content_length": b"+5"}, UsageError),
        ({"content_length": b"5_0"}, UsageError),
        ({"content_length": b""}, UsageError),
        ({"content_type": b"text/plain"}, UnsupportedMedia),
        ({"content_type": b"application/x-www-form-urlencoded"}, UnsupportedMedia),
        ({"content_type": b""}, UnsupportedMedia),
        ({"content_type": b"application/json; charset=latin-1"}, UnsupportedMedia),
        ({"content_encoding": b"gzip"}, UnsupportedMedia),
        ({"authorization": b"Bearer c"}, UnknownToken),
        ({"authorization": b"Bearer"}, UnknownToken),
        ({"authorization": b"Basic YTpi"}, UnknownToken),
        ({"authorization": b""}, UnknownToken),
        ({"x_api_key": b""}, UnknownToken),
        ({"x_api_key": b"\xff\xfe"}, UnknownToken),
        ({"x_api_key": b"a", "authorization": b"Bearer b"}, UnknownToken),
    ],
)
def test_a_bad_head_is_refused(headers: dict[str, bytes], error: type[UsageError]) -> None:
    with pytest.raises(error) as caught:
        head(**headers)
    assert type(caught.value) is error
