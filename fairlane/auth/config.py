"""The settings of who may: keys, sessions, a trusted proxy."""

import ipaddress
import re
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from fairlane.auth.role import Role
from fairlane.auth.session import LEAST_SECRET
from ingestion.config import Section

_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _listed(raw: Any) -> Any:
    return (raw,) if isinstance(raw, str) else raw


Roles = Annotated[tuple[Role, ...], BeforeValidator(_listed)]


class AuthConfig(Section):
    """Who may use the pages and their API. Off by default, which is why they listen on loopback only."""

    keys: bool = False
    """People and programs show an API key (`fairlane keys create`): programs as a bearer token, people at the login page."""
    session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = 12.0
    """How long a browser stays signed in; revoking the key ends it at once."""
    session_secret: str = ""
    """What sessions are sealed with, 32 characters at least, the same for all web processes; empty: one that is made in the state directory."""
    trusted_peers: tuple[str, ...] = ()
    """Addresses or networks of the proxy whose identity headers are believed; nobody else's are. Empty: no proxy."""
    user_header: str = "x-forwarded-user"
    """Header in which the proxy says who it is. The proxy must remove what clients send under this name."""
    groups_header: str = "x-forwarded-groups"
    """Header in which the proxy says their groups, separated by commas."""
    groups: dict[str, Roles] = Field(default_factory=dict)
    """Group to its role, or roles."""
    everyone: Roles = ()
    """Roles of everybody whom the proxy lets in, beside those of their groups."""

    @property
    def on(self) -> bool:
        """Must everybody say who they are?"""
        return self.keys or bool(self.trusted_peers)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The trusted peers."""
        return tuple(ipaddress.ip_network(peer) for peer in self.trusted_peers)

    @field_validator("trusted_peers")
    @classmethod
    def _peers(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        for peer in peers:
            try:
                network = ipaddress.ip_network(peer)
            except ValueError as error:
                raise ValueError(f"{peer} is no address or network ({error}); write 10.0.0.5 or 10.0.0.0/24") from error
            if network.prefixlen == 0:
                raise ValueError(f"{peer} is everybody: then anybody could call themselves anything. Name the proxy")
        return peers

    @field_validator("user_header", "groups_header")
    @classmethod
    def _headers(cls, name: str) -> str:
        lower = name.lower()
        if not _HEADER.fullmatch(lower):
            raise ValueError(f"{name!r} is no header's name")
        return lower

    @field_validator("session_secret")
    @classmethod
    def _long(cls, secret: str) -> str:
        if secret and len(secret) < LEAST_SECRET:
            raise ValueError(f"needs {LEAST_SECRET} characters at least; `openssl rand -base64 48` makes some")
        return secret

    @model_validator(mode="after")
    def _useful(self) -> Self:
        if self.trusted_peers and not self.everyone and not any(self.groups.values()):
            raise ValueError(
                'auth.trusted_peers is set, but nobody would have a role: set auth.groups (for example {"sre" = "operator"}) or auth.everyone'
            )
        return self
