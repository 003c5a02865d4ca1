"""Addresses of other people's servers: where their API stands, and what of an address may be told."""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

MASK: Final = "********"
_SECRET_NAME: Final = re.compile(r"pass|pwd|secret|token|key|auth|cred|sig|sess|jwt|bearer", re.IGNORECASE)
_SECRET_VALUE: Final = re.compile(r"[A-Za-z0-9+/=_.%~-]{20,}")
"""So long a word without a space in it is no name of a tenant."""
_UNREADABLE: Final = "an address that cannot be read"


def shown(url: str) -> str:
    """An address as it may be told: without user and password, and with what looks like a secret among its parameters masked.

    >>> shown("https://ann:hunter2@prometheus:9090/p?tenant=a&token=abc")
    'https://prometheus:9090/p?tenant=a&token=********'
    """
    scheme, there, rest = url.partition("://")
    # a password that holds a slash or a question mark does not end where a parser thinks: what stands before the last @ goes
    try:
        parts = urlsplit(f"{scheme}://{rest.rpartition('@')[2]}" if there else url.rpartition("@")[2])
    except ValueError:
        return _UNREADABLE
    query = "&".join(_masked(one) for one in parts.query.split("&")) if parts.query else ""
    return urlunsplit(parts._replace(query=query, fragment=""))


def endpoint(url: str, name: str) -> str:
    """Where `name` of a Prometheus' query API stands under `url`; its parameters are kept. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/api/v1/{name}", fragment=""))


def _masked(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return MASK if _SECRET_VALUE.fullmatch(name) else name
    return f"{name}={MASK}" if value and (_SECRET_NAME.search(name) or _SECRET_VALUE.fullmatch(value)) else parameter
