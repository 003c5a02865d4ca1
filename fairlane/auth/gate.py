"""Who a request comes from: an API key that it shows, a trusted proxy's word, or a session that a key began; the first of them that is there.

A browser sends its cookie by itself, so it comes last: whom the proxy names is who it is, whoever signed in at that browser before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from fairlane.auth import keys, proxy
from fairlane.auth.config import AuthConfig
from fairlane.auth.identity import Identity
from fairlane.auth.keys import ApiKey
from fairlane.auth.ring import KeyRing
from fairlane.auth.session import COOKIE, Session, Sessions
from slo.clock import Clock
from slo.errors import Unauthenticated

CHALLENGE: Final[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="fairlane"'}
HOW: Final = "send `Authorization: Bearer KEY`, or sign in at /login; `fairlane keys create` makes a key"


@dataclass(frozen=True, slots=True)
class Gate:
    """Finds out who asks. `ring` and `sessions` are used only where keys are."""

    config: AuthConfig
    ring: KeyRing
    sessions: Sessions
    clock: Clock

    def trusts(self, request: HTTPConnection) -> bool:
        """Is the peer the trusted proxy?"""
        return request.client is not None and proxy.is_trusted(request.client.host, self.config)

    def identify(self, request: HTTPConnection) -> Identity:
        """Who asks. Raises Unauthenticated when that is not known, Unreachable when keys cannot be checked."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        is_key = scheme.lower() == "bearer" and shown.strip().startswith(f"{keys.PREFIX}_")
        if self.config.keys and is_key:
            return self._by_key(self.check(shown))
        if self.trusts(request):
            found = proxy.identity(request.headers.raw, self.config)
            if found is not None:
                return found
        if self.config.keys and (cookie := request.cookies.get(COOKIE)):
            session = self.sessions.read(cookie, self.clock.now())
            if session is not None:
                return self._by_key(self._continued(session))
        if not self.config.keys:
            raise Unauthenticated(
                f"nobody knows who asks: the proxy in front says it in the header {self.config.user_header}, and only a peer in auth.trusted_peers is believed"
            )
        raise Unauthenticated(f"nobody knows who asks: {HOW}")

    def check(self, shown: str) -> ApiKey:
        """The key behind a text. Raises Unauthenticated for one that is wrong, expired or revoked; Unreachable as `identify`."""
        presented = keys.read(shown)
        kept = self.ring.find(presented.id) if presented else None
        if presented is None or not keys.matches(presented, kept):
            raise Unauthenticated(f"the key is not one of Fairlane's: {HOW}")
        return self._valid(kept)

    def _continued(self, session: Session) -> ApiKey:
        key = self._valid(self.ring.find(session.key_id))
        if not session.began_with(key):
            raise Unauthenticated(f"the key has other roles since it signed in: {HOW}")
        return key

    def _valid(self, key: ApiKey | None) -> ApiKey:
        """The key as it is now; only for a request that has proven to come from it."""
        key = self.ring.again(key) if key else None
        state = key.state(int(self.clock.now() * 1000)) if key else "gone"
        if key is None or state != "valid":
            raise Unauthenticated(f"the key is {state}: {HOW}")
        return key

    def _by_key(self, key: ApiKey) -> Identity:
        self.ring.note(key.id, int(self.clock.now() * 1000))
        return identity_of(key)


def identity_of(key: ApiKey) -> Identity:
    """Who uses a key."""
    return Identity(key.name, key.roles, f"key:{key.id}")
