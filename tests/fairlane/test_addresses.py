"""What of an address is told, and where an API stands under it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlane.addresses import endpoint, shown


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://prometheus:9090", "http://prometheus:9090"),
        ("http://prometheus:9090/prom/", "http://prometheus:9090/prom/"),
        ("http://ann:hunter2@prometheus:9090", "http://prometheus:9090"),
        ("http://hunter2@prometheus", "http://prometheus"),
        ("http://ann:hunter2@[::1]:9090/x", "http://[::1]:9090/x"),
        ("http://ann:hun/ter2@prometheus", "http://prometheus"),
        ("http://ann:hun?ter2@prometheus", "http://prometheus"),
        ("http://ann:hun#ter2@prometheus", "http://prometheus"),
        ("http://ann:hunt@er2@prometheus", "http://prometheus"),
        ("ann:hunter2@prometheus:9090", "prometheus:9090"),
        ("https://p/?token=hunter2", "https://p/?token=********"),
        ("https://p/?tenant=a&access_key=hunter2&b=1", "https://p/?tenant=a&access_key=********&b=1"),
        ("https://p/?X-Amz-Signature=hunter2", "https://p/?X-Amz-Signature=********"),
        ("https://p/?x=eyJhbGciOiJIUzI1NiJ9.e30", "https://p/?x=********"),
        ("https://p/?eyJhbGciOiJIUzI1NiJ9.e30", "https://p/?********"),
        ("https://p/?token=", "https://p/?token="),
        ("https://p/#hunter2", "https://p/"),
        ("http://ann:hunter2@[::1", "an address that cannot be read"),
        ("", ""),
    ],
)
def test_an_address_is_told_without_what_is_secret(url: str, told: str) -> None:
    assert shown(url) == told


words = st.text(st.characters(codec="ascii", exclude_characters="@", categories=("L", "N", "P", "S")), max_size=12)


@given(user=words, password=words.map(lambda w: f"{w}hunter2"), path=st.sampled_from(["", "/", "/x", ":9090/x?a=b"]))
def test_no_password_is_told_whatever_stands_in_it(user: str, password: str, path: str) -> None:
    assert "hunter2" not in shown(f"http://{user}:{password}@prometheus{path}")


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://p:9090", "http://p:9090/api/v1/query"),
        ("http://p:9090/", "http://p:9090/api/v1/query"),
        ("http://ann:secret@p/prom/", "http://ann:secret@p/prom/api/v1/query"),
        ("http://p/prom?tenant=a#x", "http://p/prom/api/v1/query?tenant=a"),
    ],
)
def test_the_api_stands_under_the_address(url: str, where: str) -> None:
    assert endpoint(url, "query") == where
