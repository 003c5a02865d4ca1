"""API keys: 256 random bits behind a visible prefix. Only the hash is kept, so that reading the database gives nobody a key. Pure, but for the random bits.

    fairlane_3f9c1a7be20d_Zx8...43 characters...
    ^         ^            ^
    finds     names the    the secret: base64url of 32 random bytes
    leaks     key

A secret of 256 random bits cannot be guessed or listed, so one round of SHA-256 is right: slow hashes (bcrypt, Argon2) are for what people choose themselves.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from fairlane.auth.role import Role

PREFIX: Final = "fairlane"
_SHAPE: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key. Times in Unix ms; `digest` is the SHA-256 of its secret in hex."""

    id: str
    name: str
    roles: frozenset[Role]
    digest: str
    created_ms: int
    created_by: str
    expires_ms: int | None = None
    revoked_ms: int | None = None
    used_ms: int | None = None

    def state(self, now_ms: int) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_ms is not None:
            return "revoked"
        return "expired" if self.expires_ms is not None and self.expires_ms <= now_ms else "valid"


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as somebody shows it."""

    id: str
    secret: str


def mint() -> tuple[str, str, str]:
    """A new key: its id, the whole text (to be shown once), the digest to keep."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return key_id, f"{PREFIX}_{key_id}_{secret}", digest(secret)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read(text: str) -> Presented | None:
    """A key from its text; None when it is not one.

    >>> read("fairlane_0123456789ab_" + "x" * 43).id, read("fairlane_1_x")
    ('0123456789ab', None)
    """
    found = _SHAPE.fullmatch(text.strip())
    return Presented(found[1], found[2]) if found else None


def matches(shown: Presented, kept: ApiKey | None) -> bool:
    """Is this the key that is kept? Takes the same time whether it exists, and wherever it differs."""
    return hmac.compare_digest(digest(shown.secret), kept.digest if kept else _NOBODY) and kept is not None
