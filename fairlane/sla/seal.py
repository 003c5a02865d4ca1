"""The seal of a signed month: a digest of the document's digest and of who signed it, when, and with which note. Pure.

    seal = "2:" + SHA-256( "fairlane-sla-2" LF canonical )

`canonical` is JSON in UTF-8 with sorted keys and no white space of `at_ms` (Unix ms), `by`, `month`, `note`, `pipeline` and `sha256` (of the document). The number before
the colon is its version; months that were signed before there were seals have none ("", version 1): their digest covers the document only.
"""

import hashlib
from typing import Final

import orjson

VERSION: Final = 2
DOMAIN: Final = b"fairlane-sla-2"
COVERED: Final = {1: ("document",), VERSION: ("document", "signer", "time", "note")}
"""What nobody can change unseen, by version."""


def seal_of(*, pipeline: str, month: str, sha256: str, by: str, note: str, at_ms: int) -> str:
    """The seal of what somebody signed."""
    told = {"pipeline": pipeline, "month": month, "sha256": sha256, "by": by, "note": note, "at_ms": at_ms}
    canonical = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(b"\n".join((DOMAIN, canonical))).hexdigest()
    return f"{VERSION}:{digest}"


def version_of(seal: str) -> int:
    """Its version; 1 for none. Raises ValueError for what is no seal, or one of a version that this build does not know.

    >>> version_of(""), version_of("2:ab")
    (1, 2)
    """
    if not seal:
        return 1
    version, colon, _ = seal.partition(":")
    if not colon or version != str(VERSION):
        raise ValueError(f"it has a seal of version {version[:12]!r}; this build knows version {VERSION}")
    return VERSION
