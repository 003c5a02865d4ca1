"""One question to a Prometheus, or what speaks its query API. What did not come whole is not believed."""

import math
from typing import Any, Final

import httpx
import orjson

from fairlane.addresses import endpoint, shown
from slo.errors import Unreachable
from slo.sampling import Samples
from slo.slices import SLICE_S

MOST_BYTES: Final = 32 * 1024 * 1024
_HINT: Final = "PromQL info:"
"""Some releases tell their hints among the warnings: they take nothing from an answer."""


async def ask(client: httpx.AsyncClient, url: str, query: str, begin: int, end: int) -> list[Samples]:
    """The series of `query`, sampled at each whole minute from `begin` to `end` (Unix seconds, both included); [] when there is none.

    Raises Unreachable when the answer is an error, too large, or not whole; httpx.TransportError (as its cause) when the server does not talk.
    """
    told = shown(url)
    asked = {"query": query, "start": str(begin), "end": str(end), "step": str(SLICE_S)}
    try:
        async with client.stream("POST", endpoint(url, "query_range"), data=asked) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Unreachable(
                        f"{told}: the answer to {query!r} is larger than {MOST_BYTES // 1024 // 1024} MiB"
                    )
    except httpx.HTTPError as error:
        raise Unreachable(f"{told}: {type(error).__name__} {error}. Check the URL, and that Prometheus runs") from error
    except (httpx.InvalidURL, ValueError):
        # its text may hold a part of a password
        raise Unreachable(f"{told}: this is no address that can be asked; check the URL") from None
    return _series(told, query, response.status_code, bytes(body))


def _series(told: str, query: str, status: int, body: bytes) -> list[Samples]:
    answer = _json(told, query, status, body)
    warnings = [str(one) for one in answer.get("warnings") or () if not str(one).startswith(_HINT)]
    if warnings:
        # a partial answer of a federated store: half of it would be taken for all
        raise Unreachable(f"{told}: a partial answer to {query!r}: {warnings[0]}")
    data = answer.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise Unreachable(f"{told}: {query!r} gives no series")
    return [_samples(told, one) for one in data["result"]]


def _json(told: str, query: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreachable(f"{told}: HTTP {status}, and the answer to {query!r} is no JSON or ends half way") from None
    if not isinstance(answer, dict) or answer.get("status") != "success":
        reason = answer.get("error", "no reason") if isinstance(answer, dict) else "no reason"
        raise Unreachable(f"{told}: HTTP {status} to {query!r}: {reason}")
    return answer


def _samples(told: str, series: Any) -> Samples:
    try:
        found = {round(float(at)): float(value) for at, value in series["values"]}
    except (KeyError, TypeError, ValueError):
        raise Unreachable(f"{told}: a series without values") from None
    return {at: value if math.isfinite(value) else math.nan for at, value in found.items()}
