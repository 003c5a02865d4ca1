"""Sessions of the browser pages: a cookie that says which key signed in, with which roles, and until when, sealed with a secret of ours. Nothing is stored; revoking the key, or giving it other roles, ends them."""

import base64
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fairlane.auth.keys import ApiKey
from slo.errors import StateDirectoryError

COOKIE: Final = "fairlane_session"
_SHAPE: Final = re.compile(r"2\.([0-9a-f]{12})\.([0-9a-f]{16})\.(\d{1,12})\.([A-Za-z0-9_-]{43})")
_DOMAIN: Final = b"fairlane-session-2\n"
LEAST_SECRET: Final = 32


@dataclass(frozen=True, slots=True)
class Session:
    """What a cookie of ours says: the key that signed in, as it was then."""

    key_id: str
    stamp: str

    def began_with(self, key: ApiKey) -> bool:
        """Is it still the same key, with the same roles?"""
        return hmac.compare_digest(self.stamp, stamp_of(key))


def stamp_of(key: ApiKey) -> str:
    """Stands for a key's secret and roles: another one as soon as one of them is changed."""
    told = "\n".join((key.id, key.digest, *sorted(key.roles)))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class Sessions:
    """Seals and reads cookies."""

    def __init__(self, secret: bytes, lasts_s: float) -> None:
        self._secret = secret
        self.lasts_s = lasts_s

    def seal(self, key: ApiKey, now_s: float) -> str:
        """The cookie of somebody who has shown this key."""
        payload = f"2.{key.id}.{stamp_of(key)}.{int(now_s + self.lasts_s)}"
        return f"{payload}.{self._mac(payload)}"

    def read(self, cookie: str, now_s: float) -> Session | None:
        """What the cookie says; None for one that is not ours, was changed, or is over."""
        found = _SHAPE.fullmatch(cookie)
        if found is None or not hmac.compare_digest(self._mac(cookie.rpartition(".")[0]), found[4]):
            return None
        return Session(found[1], found[2]) if int(found[3]) > now_s else None

    def _mac(self, payload: str) -> str:
        seal = hmac.new(self._secret, _DOMAIN + payload.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(seal).rstrip(b"=").decode()


def secret_of(given: str, state_dir: Path) -> bytes:
    """The secret: `given` (auth.session_secret), else the state directory's, made at the first call and readable by its user only.

    Raises StateDirectoryError when it cannot be kept there.
    """
    if given:
        return hashlib.sha256(given.encode()).digest()
    path = state_dir / "session.secret"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        if not path.exists():
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                # whoever is first wins, and nobody reads half a secret
                path.hardlink_to(fresh)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        found = path.read_bytes()
    except OSError as error:
        raise StateDirectoryError(
            f"cannot keep the sessions' secret in {path}: {error.strerror or error}. Set auth.session_secret, or give another --state-dir"
        ) from error
    if len(found) < LEAST_SECRET:
        raise StateDirectoryError(f"{path} holds less than {LEAST_SECRET} bytes: delete it, a new one is made")
    return found
