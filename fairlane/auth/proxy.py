"""Identity from a trusted proxy's headers. Pure."""

import ipaddress
from collections.abc import Iterable

from fairlane.auth.config import AuthConfig
from fairlane.auth.identity import MOST_NAME, Identity
from fairlane.auth.role import Role
from slo.errors import Unauthenticated

Headers = Iterable[tuple[bytes, bytes]]


def is_trusted(peer: str, config: AuthConfig) -> bool:
    """Does the connection come from the proxy? `peer` is the socket's other end, never what a header says."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    # a socket that listens on IPv6 tells IPv4 peers so
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in config.networks)


def identity(headers: Headers, config: AuthConfig) -> Identity | None:
    """Who the proxy says it is; None when it says nothing. Call it for a trusted peer only.

    Raises Unauthenticated for a name or groups that are said twice, or a name that is none.
    """
    names = _values(headers, config.user_header)
    if not names or not names[0].strip():
        return None
    if len(names) > 1:
        raise Unauthenticated(
            f"the header {config.user_header} came more than once: the proxy must replace what clients send"
        )
    name = names[0].strip()
    if len(name) > MOST_NAME or not name.isprintable():
        raise Unauthenticated(f"the header {config.user_header} holds no name: up to {MOST_NAME} printable characters")
    told = _values(headers, config.groups_header)
    if len(told) > 1:
        # one of them may be what the client sent
        raise Unauthenticated(
            f"the header {config.groups_header} came more than once: the proxy must replace what clients send"
        )
    groups = {part.strip() for value in told for part in value.split(",")}
    roles: set[Role] = set(config.everyone)
    for group in groups:
        roles.update(config.groups.get(group, ()))
    return Identity(name, frozenset(roles), "proxy")


def _values(headers: Headers, name: str) -> list[str]:
    # names travel as bytes: UTF-8 where a proxy speaks it
    return [value.decode("utf-8", "replace") for key, value in headers if key.lower() == name.encode()]
