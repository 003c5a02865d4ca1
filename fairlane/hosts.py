"""Names of this machine."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Does the name stand for this machine, whoever resolves it?

    >>> [is_loopback(h) for h in ("localhost", "127.0.0.2", "::1", "example.org", "127.evil.example", "localhost.example")]
    [True, True, True, False, False, False]
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
